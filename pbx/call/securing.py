"""Which security a leg's sound may have, by the site's policy for its peer and by the way that its signalling goes."""

from __future__ import annotations

import os

from config.schema import Site
from pbx.sdp.security import KEY_BYTES, OFF, Means
from pbx.sip.hop import WEB, Hop


def means_of(site: Site, extension: str | None, trunk: str | None, hop: Hop, fingerprint: str) -> Means:
    """SDES keys go only where nobody reads along, unless the site says so (RFC 4568 7.2.1). Browsers, which come by
    websocket, do DTLS-SRTP alone (RFC 8827 6.5). `fingerprint` is our certificate's; "": no DTLS."""
    own = None
    if extension is not None and extension in site.extensions:
        own = site.extensions[extension].srtp
    elif trunk is not None and trunk in site.trunks:
        own = site.trunks[trunk].srtp
    policy = own or site.media.srtp.policy
    if policy == "off":
        return OFF
    web = hop.transport in WEB
    suites: tuple[str, ...] = ()
    if hop.secure or site.media.srtp.in_clear_signalling:
        suites = site.media.srtp.suites
    keys = tuple([os.urandom(KEY_BYTES[suite]) for suite in suites])
    return Means(policy, suites, keys, fingerprint, web, site.media.dtls.hashes)
