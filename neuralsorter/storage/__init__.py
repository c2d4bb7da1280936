"""What a project keeps on disk: the parts behind `store`, `journal` and `project`."""
