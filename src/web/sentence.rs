//! What the API says of requests that it does not do, and of those that it does.
//!
//! Not here: what the rooms behind it say (presses: `highlight`; jobs: `queue`).

crate::sentences! {
    /// Why a request is not done.
    pub enum RequestSentence {
        NoRoute { path: String, routes: String } = "route_unknown":
            "there is no {path} here; there are {routes}",
        WrongMethod { path: String, right: String, method: String } = "route_method_wrong":
            "{path} wants {right}, not {method}",
        Busy {} = "service_busy":
            "the service is too busy, or its disk does not answer; see /health, and try again",
        Broken {} = "service_error":
            "an error inside hindsight; its log says more",
        PressesOff {} = "press_http_off":
            "presses over HTTP are switched off: [trigger] http = false",
        BodyTooLarge { most_bytes: usize } = "request_body_too_large":
            "the body is larger than {most_bytes} bytes, or was cut off",
        BodyLate {} = "request_body_late":
            "the body did not come in time",
        BodyNotJson { error: String } = "request_body_not_json":
            "the body is not JSON: {error}",
        BodyNotObject { value: String } = "request_body_not_object":
            "the body must be a JSON object such as {{\"camera_id\": \"all\"}}, not {value}",
        KeyUnknown { key: String } = "request_key_unknown":
            "\"{key}\" means nothing here; the keys are \"camera_id\", \"duration\", \"pre\" and \"post\"",
        QueryKeyUnknown { key: String, keys: String } = "request_query_key_unknown":
            "?{key}= means nothing here; known are: {keys}",
        QueryUnwanted { key: String } = "request_query_unwanted":
            "?{key}= means nothing here; this address takes nothing behind a ?",
        KeyTwice { key: &'static str } = "request_key_twice":
            "\"{key}\" is given twice, and not the same; give it once, in the body or behind the ?",
        WaitUnclear {} = "request_wait_unclear":
            "?wait= must be true or false",
        LimitUnclear { most: usize } = "request_limit_unclear":
            "?limit= must be a number from 1 to {most}",
        CameraUnclear { value: String } = "request_camera_unclear":
            "\"camera_id\" must be a camera's id, a list of ids, or \"all\", not {value}",
        CameraUnknown { camera: String, cameras: String } = "request_camera_unknown":
            "there is no camera \"{camera}\"; the cameras are {cameras}, or \"all\"",
        CamerasEmpty {} = "request_cameras_empty":
            "\"camera_id\" is an empty list; leave it out for all cameras",
        SecondsNotNumber { key: &'static str, value: String } = "request_seconds_not_number":
            "\"{key}\" must be a number of seconds, such as 40, not {value}",
        SecondsNegative { key: &'static str, value: String } = "request_seconds_negative":
            "\"{key}\" must be 0 seconds or more, not {value}",
        SecondsTooMany { key: &'static str, value: String } = "request_seconds_too_many":
            "\"{key}\" must be less than a day, not {value}",
        DurationAndWindow {} = "request_duration_and_window":
            "\"duration\" means the last seconds before the press; give either it or \"pre\" and \"post\"",
        DurationZero {} = "request_duration_zero":
            "\"duration\" must be more than 0 seconds",
        WindowZero {} = "request_window_zero":
            "\"pre\" and \"post\" are both 0: there would be nothing to see",
        WindowTooLong { asked_ms: InSeconds, ring_ms: InSeconds } = "request_window_too_long":
            "{asked_ms} s is more than the {ring_ms} s that the rings hold; ask for less, or raise [ring] seconds",
        BodyUnclear { shape: &'static str } = "request_body_unclear":
            "the body must be {shape}",
        RetryUnclear {} = "request_retry_unclear":
            "the body must be {{\"id\": \"…\"}}, or {{\"failed\": true}} for all that were given up",
        DropUnclear {} = "request_drop_unclear":
            "the body must be {{\"id\": \"…\"}}",
        HighlightUnknown {} = "highlight_unknown":
            "there is no such highlight",
        HighlightUnreadable {} = "highlight_unreadable":
            "the disk cannot read this file",
        RangeBehindEnd { size_bytes: u64 } = "request_range_behind_end":
            "the file ends at byte {size_bytes}",
        DownloadsTaken {} = "download_places_taken":
            "too many downloads at once; try again in a moment",
        ConnectionsTaken {} = "connection_places_taken":
            "too many connections at once",
    }
}

crate::sentences! {
    /// What is said of a request that was done.
    pub enum DoneSentence {
        Taken { cameras: CountOfCameras } = "press_taken":
            "taken: {cameras}",
        TakenPartly { cameras: CountOfCameras, refused: usize } = "press_taken_partly":
            "taken: {cameras}, refused: {refused}",
        ClipsLater {} = "press_clips_later":
            "taken; its clips are not written yet, see /highlights later",
        NothingGivenUp {} = "queue_nothing_given_up":
            "no job was given up: nothing to try again",
        Retried { jobs: String } = "queue_jobs_retried":
            "{jobs}: tried again",
        Claimed { name: String } = "claim_taken":
            "the box has been set up: its administrator is {name}",
        SignedIn { name: String } = "session_begun":
            "signed in as {name}",
        SignedOut {} = "session_left":
            "signed out",
        SessionEnded {} = "session_ended":
            "the session has been ended",
        UserAdded { name: String } = "user_added":
            "{name} can sign in now",
        UserRemoved { name: String } = "user_removed":
            "{name} cannot sign in any more",
        Dropped { jobs: String } = "queue_jobs_dropped":
            "{jobs}: taken out of the queue; the files stay until keep_uploaded is over",
    }
}

crate::quantities! {
    /// With the noun.
    pub struct CountOfCameras(f, count: usize) {
        match count {
            1 => write!(f, "1 camera"),
            count => write!(f, "{count} cameras"),
        }
    }

    /// Milliseconds, shown as seconds.
    pub struct InSeconds(f, ms: u64) {
        let (seconds, ms) = (ms / 1000, ms % 1000);
        if ms == 0 {
            return write!(f, "{seconds}");
        }
        let fraction = format!("{ms:03}");
        write!(f, "{seconds}.{}", fraction.trim_end_matches('0'))
    }
}
