"""Random access to videos in tar files of WebDataset's layout: indexed once, then one range request per video."""

from sce_video.engine.remote.shards.index import ShardIndex, read_indices
from sce_video.engine.remote.shards.member import Member, find_member, member_path
from sce_video.engine.remote.shards.pattern import folder_and_names

__all__ = ["Member", "ShardIndex", "find_member", "folder_and_names", "member_path", "read_indices"]
