"""Recipes: in the package their YAML files alone, in the checkout also what made its models and samples."""
