"""What a person looks at: tables on the terminal, curves as pictures."""
