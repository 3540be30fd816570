//! The calls of the store.

use super::instruments::Label;
use super::labels::label;

label! {
    /// A method of a store's port.
    StoreCall "method" {
        /// `accept` of `messages`.
        MessagesAccept = "messages_accept",
        /// `receive` of `messages`.
        MessagesReceive = "messages_receive",
        /// `load` of `messages`.
        MessagesLoad = "messages_load",
        /// `save` of `messages`.
        MessagesSave = "messages_save",
        /// `claim` of `messages`.
        MessagesClaim = "messages_claim",
        /// `know_by_gateway_id` of `messages`.
        MessagesKnowByGatewayId = "messages_know_by_gateway_id",
        /// `find_by_wamid` of `messages`.
        MessagesFindByWamid = "messages_find_by_wamid",
        /// `find_by_idempotency_key` of `messages`.
        MessagesFindByIdempotencyKey = "messages_find_by_idempotency_key",
        /// `statuses_arrived` of `messages`.
        MessagesStatusesArrived = "messages_statuses_arrived",
        /// `record_statuses` of `statuses`.
        StatusesRecord = "statuses_record_statuses",
        /// `reports_of` of `statuses`.
        StatusesReportsOf = "statuses_reports_of",
        /// `statuses_of` of `statuses`.
        StatusesOf = "statuses_statuses_of",
        /// `find_reports` of `statuses`.
        StatusesFindReports = "statuses_find_reports",
        /// `due` of `timers`.
        TimersDue = "timers_due",
        /// `ahead` of `timers`.
        TimersAhead = "timers_ahead",
        /// `released` of `timers`.
        TimersReleased = "timers_released",
        /// `wake_held` of `timers`.
        TimersWakeHeld = "timers_wake_held",
        /// `messages` of `lists`.
        ListsMessages = "lists_messages",
        /// `dead_letters` of `lists`.
        ListsDeadLetters = "lists_dead_letters",
        /// `count_unsettled` of `lists`.
        ListsCountUnsettled = "lists_count_unsettled",
        /// `touch` of `conversations`.
        ConversationsTouch = "conversations_touch",
        /// `open_windows` of `conversations`.
        ConversationsOpenWindows = "conversations_open_windows",
        /// `list` of `conversations`.
        ConversationsList = "conversations_list",
        /// `find` of `conversations`.
        ConversationsFind = "conversations_find",
        /// `of_people` of `conversations`.
        ConversationsOfPeople = "conversations_of_people",
        /// `insert` of `tenants`.
        TenantsInsert = "tenants_insert",
        /// `save` of `tenants`.
        TenantsSave = "tenants_save",
        /// `find_all` of `tenants`.
        TenantsFindAll = "tenants_find_all",
        /// `find` of `tenants`.
        TenantsFind = "tenants_find",
        /// `list` of `tenants`.
        TenantsList = "tenants_list",
        /// `owners_of_numbers` of `tenants`.
        TenantsOwnersOfNumbers = "tenants_owners_of_numbers",
        /// `past_owners_of_numbers` of `tenants`.
        TenantsPastOwnersOfNumbers = "tenants_past_owners_of_numbers",
        /// `owners_of_waba` of `tenants`.
        TenantsOwnersOfWaba = "tenants_owners_of_waba",
        /// `note_key_uses` of `tenants`.
        TenantsNoteKeyUses = "tenants_note_key_uses",
        /// `remove` of `tenants`.
        TenantsRemove = "tenants_remove",
        /// `record` of `events`.
        EventsRecord = "events_record",
        /// `list` of `events`.
        EventsList = "events_list",
        /// `find_events` of `events`.
        EventsFind = "events_find_events",
        /// `amendments` of `events`.
        EventsAmendments = "events_amendments",
        /// `keep_listener` of `listeners`.
        ListenersKeep = "listeners_keep_listener",
        /// `listeners` of `listeners`.
        ListenersAll = "listeners_listeners",
        /// `forget_listeners` of `listeners`.
        ListenersForget = "listeners_forget_listeners",
        /// `insert_operator_key` of `operators`.
        OperatorsInsert = "operators_insert_operator_key",
        /// `save_operator_key` of `operators`.
        OperatorsSave = "operators_save_operator_key",
        /// `find_operator_key` of `operators`.
        OperatorsFind = "operators_find_operator_key",
        /// `operator_keys` of `operators`.
        OperatorsAll = "operators_operator_keys",
        /// `remove_operator_key` of `operators`.
        OperatorsRemove = "operators_remove_operator_key",
        /// `note_operator_use` of `operators`.
        OperatorsNoteUse = "operators_note_operator_use",
        /// `insert_secrets` of `installation`.
        InstallationInsert = "installation_insert_secrets",
        /// `save_secrets` of `installation`.
        InstallationSave = "installation_save_secrets",
        /// `find_secrets` of `installation`.
        InstallationFind = "installation_find_secrets",
        /// `carry_out` of `audit`.
        AuditCarryOut = "audit_carry_out",
        /// `audit_chain` of `audit`.
        AuditChain = "audit_audit_chain",
        /// `audit_list` of `audit`.
        AuditList = "audit_audit_list",
        /// `audit_walk` of `audit`.
        AuditWalk = "audit_audit_walk",
        /// `drop_audit` of `audit`.
        AuditDrop = "audit_drop_audit",
        /// `insert_app` of `apps`.
        AppsInsert = "apps_insert_app",
        /// `save_app` of `apps`.
        AppsSave = "apps_save_app",
        /// `find_app` of `apps`.
        AppsFind = "apps_find_app",
        /// `apps` of `apps`.
        AppsAll = "apps_apps",
        /// `remove_app` of `apps`.
        AppsRemove = "apps_remove_app",
        /// `insert_endpoint` of `endpoints`.
        EndpointsInsert = "endpoints_insert_endpoint",
        /// `save_endpoint` of `endpoints`.
        EndpointsSave = "endpoints_save_endpoint",
        /// `find_endpoint` of `endpoints`.
        EndpointsFind = "endpoints_find_endpoint",
        /// `endpoints_of` of `endpoints`.
        EndpointsOf = "endpoints_endpoints_of",
        /// `endpoints` of `endpoints`.
        EndpointsAll = "endpoints_endpoints",
        /// `remove_endpoint` of `endpoints`.
        EndpointsRemove = "endpoints_remove_endpoint",
        /// `progress` of `callbacks`.
        CallbacksProgress = "callbacks_progress",
        /// `advance` of `callbacks`.
        CallbacksAdvance = "callbacks_advance",
        /// `exceptions` of `callbacks`.
        CallbacksExceptions = "callbacks_exceptions",
        /// `find_exceptions` of `callbacks`.
        CallbacksFind = "callbacks_find_exceptions",
        /// `count_exceptions` of `callbacks`.
        CallbacksCount = "callbacks_count_exceptions",
        /// `attempts` of `callbacks`.
        CallbacksAttempts = "callbacks_attempts",
        /// `forget_attempts` of `callbacks`.
        CallbacksForgetAttempts = "callbacks_forget_attempts",
        /// `gone_endpoints` of `callbacks`.
        CallbacksGone = "callbacks_gone_endpoints",
        /// `forget_endpoint` of `callbacks`.
        CallbacksForgetEndpoint = "callbacks_forget_endpoint",
        /// `insert_redrive` of `redrives`.
        RedrivesInsert = "redrives_insert_redrive",
        /// `save_redrive` of `redrives`.
        RedrivesSave = "redrives_save_redrive",
        /// `find_redrive` of `redrives`.
        RedrivesFind = "redrives_find_redrive",
        /// `list_redrives` of `redrives`.
        RedrivesList = "redrives_list_redrives",
        /// `count_open_redrives` of `redrives`.
        RedrivesCountOpen = "redrives_count_open_redrives",
        /// `due_redrives` of `redrives`.
        RedrivesDue = "redrives_due_redrives",
        /// `forget_redrives` of `redrives`.
        RedrivesForget = "redrives_forget_redrives",
        /// `look_through` of `redrives`.
        RedrivesLookThrough = "redrives_look_through",
        /// `sending_hold` of `holds`.
        HoldsSendingHold = "holds_sending_hold",
        /// `keep_sending_hold` of `holds`.
        HoldsKeepSendingHold = "holds_keep_sending_hold",
        /// `unsettled_by_number` of `holds`.
        HoldsUnsettledByNumber = "holds_unsettled_by_number",
        /// `entries` of `feed`.
        FeedEntries = "feed_entries",
        /// `bounds` of `feed`.
        FeedBounds = "feed_bounds",
        /// `arrivals` of `arrivals`.
        ArrivalsRead = "arrivals_arrivals",
        /// `ends` of `arrivals`.
        FeedEnds = "feed_ends",
        /// `append` of `arrivals`.
        ArrivalsAppend = "arrivals_append",
        /// `put_aside` and `bring_back` of `arrivals`.
        ArrivalsAside = "arrivals_aside",
        /// `waiting` of `arrivals`.
        ArrivalsWaiting = "arrivals_waiting",
        /// `attend` and `leave` of `arrivals`.
        ArrivalsAttend = "arrivals_attend",
        /// `erase` of `erasure`.
        ErasureErase = "erasure_erase",
        /// `erase_aged` of `erasure`.
        ErasureEraseAged = "erasure_erase_aged",
        /// `left_behind` of `erasure`.
        ErasureLeftBehind = "erasure_left_behind",
        /// `retention_time` of `erasure`.
        ErasureRetentionTime = "erasure_retention_time",
        /// `keep_retention_time` of `erasure`.
        ErasureKeepRetentionTime = "erasure_keep_retention_time",
        /// `insert_erasure` of `person_erasures`.
        PersonErasuresInsert = "person_erasures_insert",
        /// `save_erasure` of `person_erasures`.
        PersonErasuresSave = "person_erasures_save",
        /// `find_erasure` of `person_erasures`.
        PersonErasuresFind = "person_erasures_find",
        /// `list_erasures` of `person_erasures`.
        PersonErasuresList = "person_erasures_list",
        /// `due_erasures` of `person_erasures`.
        PersonErasuresDue = "person_erasures_due",
        /// `erase_person` of `person_erasures`.
        PersonErasuresErase = "person_erasures_erase",
        /// `clear_remains` of `person_erasures`.
        PersonErasuresClearRemains = "person_erasures_clear_remains",
        /// `note_opt_outs` of `opt_outs`.
        OptOutsNote = "opt_outs_note",
        /// `find_opt_outs` of `opt_outs`.
        OptOutsFind = "opt_outs_find",
        /// `list_opt_outs` of `opt_outs`.
        OptOutsList = "opt_outs_list",
        /// `insert_signup` of `signups`.
        SignupsInsert = "signups_insert",
        /// `save_signup` of `signups`.
        SignupsSave = "signups_save",
        /// `find_signup` of `signups`.
        SignupsFind = "signups_find",
        /// `find_signup_of_key` of `signups`.
        SignupsFindOfKey = "signups_find_of_key",
        /// `list_signups` of `signups`.
        SignupsList = "signups_list",
        /// `due_signups` of `signups`.
        SignupsDue = "signups_due",
        /// `insert_departure` of `departures`.
        DeparturesInsert = "departures_insert",
        /// `save_departure` of `departures`.
        DeparturesSave = "departures_save",
        /// `find_departure` of `departures`.
        DeparturesFind = "departures_find",
        /// `list_departures` of `departures`.
        DeparturesList = "departures_list",
        /// `due_departures` of `departures`.
        DeparturesDue = "departures_due",
        /// `forget_departures` of `departures`.
        DeparturesForget = "departures_forget",
        /// `ping` of `health`.
        HealthPing = "health_ping",
    }
}
