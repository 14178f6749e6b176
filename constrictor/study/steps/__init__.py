"""One settings model a stage. A step of a study is one of these."""
