"""What a person looks at: tables on the terminal, charts, a page."""
