from __future__ import annotations

import pytest

from dvtool.remote.drivers.webdav.multistatus import NotMultistatus
from dvtool.remote.drivers.webdav.multistatus import Resource
from dvtool.remote.drivers.webdav.multistatus import resources

# As Apache answers: another prefix, properties that are not there in a block of their own.
ANSWER = b"""<?xml version="1.0" encoding="utf-8"?>
<ms:multistatus xmlns:ms="DAV:" xmlns:x="http://apache.org/dav/props/">
 <ms:response>
  <ms:href>/dav/some%20place/</ms:href>
  <ms:propstat><ms:prop><ms:resourcetype><ms:collection/></ms:resourcetype></ms:prop>
   <ms:status>HTTP/1.1 200 OK</ms:status></ms:propstat>
  <ms:propstat><ms:prop><ms:getcontentlength>7</ms:getcontentlength></ms:prop>
   <ms:status>HTTP/1.1 404 Not Found</ms:status></ms:propstat>
 </ms:response>
 <ms:response>
  <ms:href>https://dav.example.org/dav/some%20place/k</ms:href>
  <ms:propstat><ms:prop><ms:resourcetype/><ms:getcontentlength>12</ms:getcontentlength>
    <ms:getlastmodified>Thu, 01 Jan 1970 00:01:00 GMT</ms:getlastmodified><ms:getetag>"a-b"</ms:getetag>
    <x:getcontentlength>99</x:getcontentlength></ms:prop>
   <ms:status>HTTP/1.1 200 OK</ms:status></ms:propstat>
 </ms:response>
</ms:multistatus>
"""


def test_what_a_server_says() -> None:
    assert list(resources(ANSWER)) == [
        Resource("/dav/some place/", is_collection=True, size=None, modified=None, etag=None),
        Resource("/dav/some place/k", is_collection=False, size=12, modified=60.0, etag='"a-b"'),
    ]


@pytest.mark.parametrize("end", [0, 1, 40, len(ANSWER) // 2, len(ANSWER) - 20])
def test_one_that_is_cut_off_is_none(end: int) -> None:
    with pytest.raises(NotMultistatus):
        resources(ANSWER[:end])


@pytest.mark.parametrize(
    "text",
    [
        b"<html><body>It works</body></html>",
        b'<!DOCTYPE a [<!ENTITY b "x">]><multistatus xmlns="DAV:"><response><href>&b;</href></response></multistatus>',
        b"<multistatus/>",
        b'<multistatus xmlns="DAV:"><response><href>' + b"x" * 5_000 + b"</href></response></multistatus>",
        b"\xff\xfe\x00",
    ],
)
def test_what_is_no_answer(text: bytes) -> None:
    with pytest.raises(NotMultistatus):
        resources(text)
