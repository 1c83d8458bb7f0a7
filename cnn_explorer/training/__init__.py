"""Training on the page: recipes, runs, the scheduler that advances them, results and files."""
