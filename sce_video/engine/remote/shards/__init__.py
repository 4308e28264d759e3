"""Tar files in WebDataset's layout as videos at random access: an index once, then one ranged read per video."""

from sce_video.engine.remote.shards.index import ShardIndex, read_index
from sce_video.engine.remote.shards.member import Member, find_member, member_path
from sce_video.engine.remote.shards.pattern import BRACES, expand_braces
from sce_video.engine.remote.shards.read_tar import ShardVideo

__all__ = ["BRACES", "Member", "ShardIndex", "ShardVideo", "expand_braces", "find_member", "member_path", "read_index"]
