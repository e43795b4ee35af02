"""The cache server: contents, results of actions and names of assets, over the Remote Execution API."""
