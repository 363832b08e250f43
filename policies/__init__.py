"""The rules of the plan review as data, one YAML file a rule, and the schemas of what people write."""
