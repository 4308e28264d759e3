"""CfgNode -> objects: the only room that reads the config and knows every constructor."""
