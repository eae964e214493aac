//! What uploads say to people: why one waits, failed, or will never work.
//!
//! Not here: which of these it is (`queue::work::Failure`), what is wrong with a target before anything is sent
//! (`types`).

use crate::base::Sentence;
use crate::base::quantity::{Megabytes, TimeOfDay};

crate::sentences! {
    /// Before anything is sent, and on this box.
    pub enum UploadSentence {
        NoThread { error: String } = "upload_no_thread": "no thread could be started to send: {error}",
        S3NeedsClock {} = "upload_s3_needs_clock":
            "this box's clock was never set, and S3 wants the right time: it needs a time server (NTP)",
        SignatureNeedsClock {} = "upload_signature_needs_clock":
            "this box's clock was never set, and signed requests need the right time: it needs a time server (NTP)",
        OutsideHours { from_minute: TimeOfDay, to_minute: TimeOfDay } = "upload_outside_hours":
            "uploads only run from {from_minute} to {to_minute}",
        HoursNeedClock { from_minute: TimeOfDay, to_minute: TimeOfDay } = "upload_hours_need_clock":
            "uploads only run from {from_minute} to {to_minute}, and this box's clock was never set: it needs a time server, or `timedatectl set-time`",
        ClipDamaged { path: String } = "upload_clip_damaged":
            "{path} is not what its sidecar says (its checksum differs): this box's disk damaged it",
        NoVideo {} = "upload_no_video": "its sidecar names no video that could be uploaded",
        FileUnreadable { path: String, error: String } = "upload_file_unreadable": "{path}: {error}",
    }
}

crate::sentences! {
    /// Of a folder.
    pub enum FolderUploadSentence {
        ThreadEnded {} = "upload_folder_thread_ended": "the copying thread ended without a word",
        NoThread { error: String } = "upload_folder_no_thread": "no thread to copy with: {error}",
        NoThreadToLook { error: String } = "upload_folder_no_thread_to_look": "no thread to look with: {error}",
        Silent { path: String } = "upload_folder_silent":
            "{path} does not answer: the share's server or the disk hangs",
        NotMounted { path: String, point: String } = "upload_folder_not_mounted":
            "{path}: nothing is mounted at {point}: plug the disk in, or see to the share",
        NoFolder { path: String } = "upload_folder_no_folder": "{path} is no folder",
        BareMountPoint { path: String } = "upload_folder_bare_mount_point":
            "{path} lies on the system's own disk: nothing is mounted there",
        LosesData { path: String, there_bytes: u64, wanted_bytes: u64 } = "upload_folder_loses_data":
            "{path} was written, but reads back differently ({there_bytes} bytes of {wanted_bytes}): the disk or the share loses data",
        Missing { path: String } = "upload_folder_missing":
            "{path} does not exist: is the disk or share mounted? It is never made here",
        Full { path: String, free_bytes: Megabytes, error: String } = "upload_folder_full":
            "{path} is full ({free_bytes} free): {error}",
        ReadOnly { path: String } = "upload_folder_read_only":
            "{path} is read-only: mount it so that it can be written",
        Denied { path: String, error: String } = "upload_folder_denied":
            "{path}: {error}; the user that runs hindsight must be allowed to write there",
        WentAway { path: String, error: String } = "upload_folder_went_away":
            "{path}: {error}; the disk or share went away or fails",
        Failed { path: String, error: String } = "upload_folder_failed": "{path}: {error}",
        NotWritable { path: String, error: String } = "upload_folder_not_writable":
            "{path}: this user cannot write there: {error}",
    }
}

crate::sentences! {
    /// Of a server, whatever it is for.
    pub enum ServerSentence {
        Answered { doing: String, server: String, status: String } = "upload_server_answered":
            "{doing}: {server} answered {status}",
        Said { doing: String, server: String, status: String, said: String } = "upload_server_said":
            "{doing}: {server} answered {status}: {said}",
        Redirected { why: Sentence } = "upload_server_redirected":
            "{why}; redirects are not followed, for they would carry credentials elsewhere: write the right address into the configuration",
        ConnectionBroke { server: String, error: String } = "upload_connection_broke":
            "the connection to {server} broke: {error}",
        TooSlow { server: String } = "upload_server_too_slow": "{server} did not answer in time",
        NotHttp { server: String } = "upload_server_not_http":
            "{server} does not speak HTTP as it should; is it the right port, and http or https?",
        TooMuch { server: String } = "upload_server_too_much": "{server} answered with more than anybody asked for",
        BadRequest { server: String } = "upload_request_malformed":
            "{server} could not be asked: the address or a header is malformed",
        Refuses { server: String } = "upload_connection_refused":
            "{server} refuses connections: is the service there running, on that port?",
        NoWay { server: String, error: String } = "upload_no_way": "no way to {server}: {error}",
        NameUnknown { server: String, error: String } = "upload_name_unknown":
            "no way to {server}: {error}; is there a network, and a DNS server?",
        ConnectionFailed { server: String, error: String } = "upload_connection_failed": "{server}: {error}",
        NoConnection { server: String } = "upload_no_connection": "no way to {server}",
        Untrusted { server: String, error: String } = "upload_tls_untrusted":
            "no trusted connection to {server} (TLS): {error}",
        CertificateExpired { why: Sentence } = "upload_tls_expired":
            "{why}; renew the server's certificate, or set this box's clock if that is wrong",
        UnknownAuthority { why: Sentence } = "upload_tls_unknown_authority":
            "{why}; if the authority is your own, name its certificate as ca_file",
        WrongName { why: Sentence } = "upload_tls_wrong_name":
            "{why}; the certificate is for another name: write that name into the address",
        NotTls { why: Sentence } = "upload_tls_not_spoken":
            "{why}; does that port speak TLS, or should the address begin with http://?",
        HoldsOther { doing: String, server: String, what: String, there: String, wanted: String } = "upload_server_holds_other":
            "{doing}: {server} holds something else: its {what} is {there}, not {wanted}",
    }
}

crate::sentences! {
    /// Of an S3 server.
    pub enum S3UploadSentence {
        KeyUnknown { why: Sentence } = "upload_s3_key_unknown": "{why}; the server does not know this access_key_id",
        SecretWrong { why: Sentence } = "upload_s3_secret_wrong":
            "{why}; the secret_access_key does not belong to the access_key_id, or something between here and the server changes requests",
        NoBucket { why: Sentence, bucket: String } = "upload_s3_no_bucket":
            "{why}; make the bucket \"{bucket}\", or correct bucket, endpoint and path_style in the configuration",
        Denied { why: Sentence, bucket: String } = "upload_s3_denied":
            "{why}; the access key must be allowed s3:PutObject, s3:GetObject and s3:AbortMultipartUpload in the bucket \"{bucket}\"",
        RegionWrong { why: Sentence, region: String } = "upload_s3_region_wrong":
            "{why}; correct region (now \"{region}\") and endpoint in the configuration",
        StorageClassWrong { why: Sentence } = "upload_s3_storage_class_wrong":
            "{why}; correct storage_class in the configuration",
        BytesDiffer { why: Sentence } = "upload_s3_bytes_differ":
            "{why}; the bytes that arrived are not those that were meant: damaged on the way, or on this box's disk since their hash was taken",
        KmsKeyWrong { why: Sentence } = "upload_s3_kms_key_wrong": "{why}; correct kms_key in the configuration",
        ClockBehind { why: Sentence, by_s: i64 } = "upload_s3_clock_behind":
            "{why}; this box's clock is {by_s} s behind the server's: it needs a time server (NTP)",
        ClockAhead { why: Sentence, by_s: i64 } = "upload_s3_clock_ahead":
            "{why}; this box's clock is {by_s} s ahead of the server's: it needs a time server (NTP)",
        ClockDiffers { why: Sentence } = "upload_s3_clock_differs":
            "{why}; this box's clock differs from the server's: it needs a time server (NTP)",
        NotShown { doing: String, server: String } = "upload_s3_not_shown":
            "{doing}: {server} took the file but does not let us look at it: allow the access key s3:GetObject",
        OtherSize { doing: String, server: String, there_bytes: u64, wanted_bytes: u64 } = "upload_s3_other_size":
            "{doing}: {server} names {there_bytes} bytes, not {wanted_bytes} bytes",
        NoSize { doing: String, server: String, wanted_bytes: u64 } = "upload_s3_no_size":
            "{doing}: {server} names no size, not {wanted_bytes} bytes",
        NoEtag { doing: String, server: String } = "upload_s3_no_etag": "{doing}: {server} answered without an ETag",
        NoUploadId { doing: String, server: String } = "upload_s3_no_upload_id":
            "{doing}: {server} answered without an UploadId: is it an S3 server?",
        SendersEnded {} = "upload_s3_senders_ended": "the threads that send parts ended without a word",
    }
}

crate::sentences! {
    /// Of a backend that signs addresses.
    pub enum BackendSentence {
        BadAnswer { doing: String, server: String, what: Sentence } = "upload_backend_bad_answer":
            "{doing}: the answer of {server} {what}",
        NotJson {} = "upload_backend_not_json": "is no JSON; is register_path right?",
        NoField { name: String, names: String, field: String } = "upload_backend_no_field":
            "has no field \"{name}\" (it has: {names}); write fields = [\"{field}=…\"] with the name that the backend gives it",
        BadId { id: String } = "upload_backend_bad_id": "has an id that can stand in no path: {id}",
        HeadersNoObject {} = "upload_backend_headers_no_object": "has upload headers that are no object",
        BadHeader { name: String } = "upload_backend_bad_header": "has an upload header that cannot be sent: {name}",
        HoldsOther { doing: String, server: String, what: Sentence } = "upload_backend_holds_other":
            "{doing}: {server} says that it holds {what}",
        OtherSize { there: String, wanted_bytes: u64 } = "upload_backend_other_size": "{there} bytes, not {wanted_bytes}",
        OtherHash { there: String, wanted: String } = "upload_backend_other_hash":
            "a file of SHA-256 {there}, not {wanted}",
        ListedAsNever { why: Sentence } = "upload_backend_never": "{why} (an answer listed under never)",
        PathDoubtful { why: Sentence, key: String } = "upload_backend_path_doubtful": "{why}; is {key} right?",
        NotTrusted { why: Sentence } = "upload_backend_not_trusted":
            "{why}; are secret, device_id and client_id right, and the names of the signature's parts (docs/config.md)?",
        ClockFast { why: Sentence, by_s: i64 } = "upload_backend_clock_fast":
            "{why}; this box's clock is {by_s} s fast: it needs a time server (NTP)",
        ClockSlow { why: Sentence, by_s: i64 } = "upload_backend_clock_slow":
            "{why}; this box's clock is {by_s} s slow: it needs a time server (NTP)",
        BadAddress { doing: String, server: String, what: Sentence } = "upload_backend_bad_address":
            "{doing}: {server} named an address to upload to {what}",
        NoAddress {} = "upload_address_none": "that is none",
        AddressNotEncrypted {} = "upload_address_not_encrypted": "that is not encrypted (http://)",
        AddressNotHttp {} = "upload_address_not_http": "that begins neither with https:// nor with http://",
        StoreHoldsOther { doing: String, server: String, there: String, wanted: String } = "upload_store_holds_other":
            "{doing}: {server} holds something else: its SHA-256 is {there}, not {wanted} (base64)",
        AddressExpired { why: Sentence } = "upload_address_expired":
            "{why}; the signed address expired before the file was there: the backend gives too little time for this line, or its clock and the store's differ",
        StoreWantsHeaders { why: Sentence } = "upload_store_wants_headers":
            "{why}; the store may want headers that the backend did not name",
    }
}
