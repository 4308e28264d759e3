"""Tar files in WebDataset's layout as videos at random access: an index once, then one ranged read per video."""

from sce_video.data.shards.index import ShardIndex, read_index
from sce_video.data.shards.member import Member, find_member, member_path
from sce_video.data.shards.pattern import BRACES, expand_braces
from sce_video.data.shards.read_tar import ShardVideo

__all__ = ["BRACES", "Member", "ShardIndex", "ShardVideo", "expand_braces", "find_member", "member_path", "read_index"]
