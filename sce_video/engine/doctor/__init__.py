"""What limits this machine: facts are gathered in `examine`, each check is a function from facts to findings."""
