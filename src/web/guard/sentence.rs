//! What the guard says to those whom it does not let through.

crate::sentences! {
    pub enum GuardSentence {
        TokenNeeded {} = "auth_token_needed":
            "this needs the token of the config's [http] table, as header \"Authorization: Bearer <token>\"",
        HostUnclear {} = "auth_host_unclear":
            "the request names no host, or two: without a token only this machine is served; set [http] token_file to be asked under other names",
        HostForeign {} = "auth_host_foreign":
            "the request was made to a foreign host name: without a token only this machine is served; set [http] token_file to be asked under other names",
        OriginForeign {} = "auth_origin_foreign":
            "the request comes from a foreign page: without a token only this machine is served; set [http] token_file to be asked under other names",
        NotJson {} = "request_not_json":
            "the body must be JSON, sent with the header \"Content-Type: application/json\"",
        HostNotOurs {} = "auth_host_not_ours":
            "the request was made to a name that is not this box's; add it to names in the config's [http] table if it is",
        OriginNotOurs {} = "auth_origin_not_ours":
            "the request comes from a foreign page",
        OriginMissing {} = "auth_origin_missing":
            "who is signed in can change something only from a page of this box, and this request does not say where it comes from (Origin)",
        RoleTooLow { role: &'static str, needed: &'static str } = "auth_role_too_low":
            "this is not for the role {role}: it needs {needed}",
        TooManyTries { wait_s: u64 } = "auth_too_many_tries":
            "too many tries; the next one is possible in {wait_s} s",
        DiskSilent {} = "auth_disk_silent":
            "the disk does not answer, so it cannot be known who you are; try again",
        LinkOver {} = "link_over":
            "this link has expired, or it was withdrawn",
        CourtWithoutCameras {} = "auth_court_without_cameras":
            "the court of this user has no camera",
    }
}
