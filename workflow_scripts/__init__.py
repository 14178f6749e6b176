"""One module a rule, of the same name: parse the arguments, call one function of the library, write."""
