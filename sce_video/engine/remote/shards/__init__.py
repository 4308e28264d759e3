"""Random access to videos in tar files of WebDataset's layout: indexed once, then one range request per video."""

from sce_video.engine.remote.shards.index import ShardIndex, read_index
from sce_video.engine.remote.shards.member import Member, find_member, member_path
from sce_video.engine.remote.shards.pattern import BRACES, expand_braces
from sce_video.engine.remote.shards.read_tar import ShardVideo

__all__ = ["BRACES", "Member", "ShardIndex", "ShardVideo", "expand_braces", "find_member", "member_path", "read_index"]
