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
    }
}
