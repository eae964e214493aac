//! Why somebody cannot sign in, or a user cannot be changed; for people.

crate::sentences! {
    pub enum AccessError {
        StorageMissing { path: String } = "access_storage_missing":
            "the storage {path} is not there, and with it the list of users"
            => "mount or plug in the disk of [storage] path",
        Damaged { path: String, why: String } = "access_file_damaged":
            "{path} cannot be used: {why}"
            => "put it back from a backup; or, to set the box up anew with other users, stop the service and remove the folder that it is in",
        Trouble { path: String, why: String } = "access_file_trouble":
            "{path}: {why}"
            => "see what the disk and the folder's rights say",
        Busy { path: String } = "access_file_busy":
            "{path} is held by another program for too long"
            => "try again",
        NoRandom { why: String } = "access_no_random":
            "the system gives no random numbers: {why}",
        Unclaimed {} = "claim_missing":
            "this box has not been set up yet: it has no administrator"
            => "set it up with the token that \"hindsight token\" shows on the box, or make an administrator there with \"hindsight users add NAME --role admin\"",
        AlreadyClaimed {} = "claim_done":
            "this box has been set up already"
            => "sign in, or give an administrator a new password on the box with \"hindsight users reset NAME\"",
        ClaimToken {} = "claim_token_wrong":
            "this is not the token that the box shows"
            => "\"hindsight token\" on the box shows it",
        PasswordShort { least: usize } = "password_too_short":
            "a password has at least {least} characters",
        PasswordLong { most: usize } = "password_too_long":
            "a password has at most {most} bytes",
        UserName { most: usize } = "user_name_wrong":
            "a user's name has 1 to {most} characters, and neither line breaks nor blanks at its ends",
        UserExists { name: String } = "user_exists":
            "there is a user \"{name}\" already",
        UserUnknown { name: String } = "user_unknown":
            "there is no user \"{name}\"",
        UserLastAdmin { name: String } = "user_last_admin":
            "\"{name}\" is the only administrator"
            => "make another one first",
        UsersFull { most: usize } = "users_full":
            "there are {most} users already, and no more can be kept",
        KioskWithoutCourt {} = "user_court_missing":
            "a user of the role kiosk belongs to a court, and none is named",
        CourtOfOthers {} = "user_court_senseless":
            "only a user of the role kiosk belongs to a court",
        Court { most: usize } = "user_court_wrong":
            "a court's name has 1 to {most} characters, without line breaks",
        SignIn {} = "session_refused":
            "name or password is wrong",
        SessionUnknown {} = "session_unknown":
            "there is no such session",
        LinkUnknown {} = "link_unknown":
            "there is no such link",
    }
}

impl std::error::Error for AccessError {}
