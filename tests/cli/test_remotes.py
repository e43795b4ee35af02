"""Remotes given on the command line."""

import re

import pytest

from buildstream._cli.remotes import RemotePurpose, parse_remote
from buildstream._remotespec import RemoteAuth, RemoteSpec, RemoteType


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://cache", RemoteSpec("http://cache", push=True)),
        # without a comma everything is the URL
        ("http://cache?a=b", RemoteSpec("http://cache?a=b", push=True)),
        ("url=http://cache", RemoteSpec("url=http://cache", push=True)),
        ("url=http://cache,push=false", RemoteSpec("http://cache", push=False)),
        ("type=index,url=c", RemoteSpec("c", type=RemoteType.INDEX, push=True)),
        (
            "url=c,instance-name=main,server-cert=here/cert",
            RemoteSpec("c", "main", push=True, auth=RemoteAuth(server_cert="here/cert")),
        ),
    ],
)
def test_remote_is_read(text: str, expected: RemoteSpec) -> None:
    assert parse_remote(text, RemotePurpose.ALL) == expected


def test_purpose_decides_whether_remote_takes_uploads() -> None:
    assert not parse_remote("http://cache", RemotePurpose.PULL).push
    assert parse_remote("http://cache", RemotePurpose.PUSH).push


@pytest.mark.parametrize(
    ("text", "purpose", "message"),
    [
        ("", RemotePurpose.ALL, "No URL specified in remote"),
        ("type=all,push=True", RemotePurpose.ALL, "No URL specified in remote"),
        ("a,b", RemotePurpose.ALL, "Invalid format 'a' found in remote specification: a,b"),
        ("url=a=b,type=all", RemotePurpose.ALL, "Invalid format 'url=a=b' found"),
        ("url=a,color=red", RemotePurpose.ALL, "Unexpected key 'color' encountered"),
        ("url=a,type=endpoint", RemotePurpose.ALL, "'type' must be one of: index, storage, all"),
        ("url=a,push=perhaps", RemotePurpose.ALL, "Value for 'push' must be 'True' or 'False'"),
        ("url=a,push=True", RemotePurpose.PULL, "The 'push' key is invalid and assumed to be False"),
        ("url=a,push=True", RemotePurpose.PUSH, "The 'push' key is invalid and assumed to be True"),
    ],
)
def test_wrong_remote_is_refused(text: str, purpose: RemotePurpose, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_remote(text, purpose)
