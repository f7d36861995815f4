"""The page that a job leaves behind: what was found and done, to be looked at."""
