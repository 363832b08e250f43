"""The CDKTF application: typed resources, the key policy, the stacks and their guards."""
