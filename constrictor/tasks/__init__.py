"""The kinds of task, one folder each, and what prepares a task of any kind."""
