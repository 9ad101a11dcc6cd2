"""The pages of the app; they ask `apps.queries` and draw with `pipeline.plots`."""
