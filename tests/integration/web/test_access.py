"""Who may open what: a table of every route, and a test that no route is missing from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from fastapi.testclient import TestClient
from support.asking import FORM, SELF, ask
from support.office import AT_EASE, PASSWORD, PROVINCE, House, give_password, open_house
from support.pages import Person, person

from controller.db.tables import Asset
from controller.services import accounts, sounds
from controller.services.approving import approve, look_at
from controller.services.composing import submit
from controller.services.rights import Role, needs_factor
from controller.services.views.broadcast import proof

ELSEWHERE = "c-31618"
OPEN, ALL = "anybody", " ".join(Role)
FIELD = "broadcaster approver technician province emergency"
"""Who has to do with poles; accounts and audits do not."""

TABLE: dict[tuple[str, str], tuple[str, int]] = {
    ("GET", "/healthz"): (OPEN, 200),
    ("GET", "/static/{mark}/{name}"): (OPEN, 200),
    ("GET", "/rounds/worker.js"): (OPEN, 200),
    ("GET", "/login"): (OPEN, 200),
    ("POST", "/login"): (OPEN, 401),
    ("POST", "/language"): (OPEN, 422),
    ("GET", "/password"): (ALL, 200),
    ("POST", "/password"): (ALL, FORM),
    ("POST", "/logout"): (ALL, 303),
    ("GET", "/code"): (ALL, 303),
    ("POST", "/code"): (ALL, 303),
    ("GET", "/second-factor"): (ALL, 200),
    ("POST", "/second-factor"): (ALL, FORM),
    ("GET", "/sessions"): (ALL, 200),
    ("POST", "/sessions/{session_id}/end"): (ALL, 404),
    ("GET", "/invitations/{code}"): (OPEN, 404),
    ("POST", "/invitations/{code}"): (OPEN, 404),
    ("GET", "/"): (ALL, 200),
    ("GET", "/more"): (ALL, 200),
    ("GET", "/today/rows"): (ALL, 200),
    ("GET", "/today/live"): (ALL, 200),
    ("GET", "/schedule"): (ALL, 200),
    ("GET", "/schedule.ics"): (ALL, 200),
    ("GET", "/ahead"): (ALL, 200),
    ("GET", "/ahead.pdf"): (ALL, 200),
    ("GET", "/regulations"): (ALL, 200),
    ("GET", "/regulations/{station_id}"): (ALL, 200),
    ("POST", "/regulations/{station_id}"): ("approver administrator", FORM),
    ("GET", "/schedule/copy"): ("broadcaster", 200),
    ("POST", "/schedule/copy"): ("broadcaster", FORM),
    ("GET", "/schedule/import"): ("broadcaster", 200),
    ("POST", "/schedule/import"): ("broadcaster", FORM),
    ("POST", "/broadcasts/{broadcast_id}/leave-out"): ("broadcaster approver", FORM),
    ("GET", "/campaigns"): (ALL, 200),
    ("GET", "/campaigns/new"): ("broadcaster", FORM),
    ("POST", "/campaigns"): ("broadcaster", FORM),
    ("POST", "/campaigns/preview"): ("broadcaster", FORM),
    ("GET", "/campaigns/{campaign_id}"): (ALL, 200),
    ("POST", "/campaigns/{campaign_id}/end"): ("broadcaster approver", FORM),
    ("POST", "/campaigns/{campaign_id}/forms"): ("broadcaster approver", 303),
    ("GET", "/published"): (ALL, 200),
    ("GET", "/published.csv"): (ALL, 200),
    ("GET", "/broadcasts"): (ALL, 200),
    ("GET", "/broadcasts/new"): ("broadcaster", 200),
    ("POST", "/broadcasts"): ("broadcaster", FORM),
    ("POST", "/broadcasts/preview"): ("broadcaster", 200),
    ("GET", "/programmes/new"): ("broadcaster", 200),
    ("POST", "/programmes/parts"): ("broadcaster", 200),
    ("GET", "/assets/programme"): (ALL, FORM),
    ("HEAD", "/assets/programme"): (ALL, FORM),
    ("GET", "/sounds"): ("broadcaster", 200),
    ("POST", "/sounds"): ("broadcaster", FORM),
    ("POST", "/sounds/chime"): ("broadcaster", 404),
    ("POST", "/sounds/{sound_id}/drop"): ("broadcaster", 303),
    ("POST", "/speech/reading"): ("broadcaster", FORM),
    ("POST", "/speech"): ("broadcaster", FORM),
    ("GET", "/pronunciations"): ("broadcaster", 200),
    ("GET", "/pronunciations.csv"): ("broadcaster", 200),
    ("POST", "/pronunciations"): ("broadcaster", FORM),
    ("POST", "/pronunciations/style"): ("broadcaster", 404),
    ("POST", "/pronunciations/{word_id}/drop"): ("broadcaster", 404),
    ("GET", "/sound-library"): ("broadcaster province emergency", 200),
    ("POST", "/sound-library"): ("broadcaster province emergency", FORM),
    ("GET", "/phrases"): ("broadcaster", 200),
    ("GET", "/phrases/{phrase}"): ("broadcaster", 200),
    ("POST", "/phrases/{phrase}"): ("broadcaster", FORM),
    ("POST", "/phrases/{phrase}/pieces"): ("broadcaster", FORM),
    ("POST", "/recordings"): ("broadcaster", FORM),
    ("POST", "/recordings/sample"): ("broadcaster", 200),
    ("GET", "/recordings/{sha256}"): (ALL, 200),
    ("POST", "/recordings/{sha256}/cut"): ("broadcaster", FORM),
    ("GET", "/files"): ("province", 200),
    ("GET", "/uploads"): (ALL, 200),
    ("GET", "/uploads/{upload_id}/rows"): (ALL, 404),
    ("POST", "/uploads/{upload_id}/again"): (ALL, 404),
    ("POST", "/uploads/{upload_id}/drop"): (ALL, 404),
    ("GET", "/broadcasts/{broadcast_id}"): (ALL, 200),
    ("GET", "/broadcasts/{broadcast_id}/edit"): ("broadcaster", 200),
    ("GET", "/broadcasts/{broadcast_id}/rows"): (ALL, 200),
    ("GET", "/broadcasts/{broadcast_id}/live"): (ALL, 200),
    ("POST", "/broadcasts/{broadcast_id}/withdraw"): ("broadcaster approver", 303),
    ("GET", "/deliveries/{delivery_id}"): (ALL, 200),
    ("GET", "/deliveries/{delivery_id}/rows"): (ALL, 200),
    ("GET", "/deliveries/{delivery_id}/live"): (ALL, 200),
    ("POST", "/deliveries/{delivery_id}/clip"): ("technician", FORM),
    ("GET", "/approvals"): ("approver", 200),
    ("GET", "/approvals/{broadcast_id}"): ("approver", 200),
    ("POST", "/approvals/{broadcast_id}"): ("approver", FORM),
    ("GET", "/clashes"): ("approver", 200),
    ("POST", "/clashes"): ("approver", FORM),
    ("GET", "/clusters"): (FIELD, 200),
    ("GET", "/clusters/rows"): (FIELD, 200),
    ("GET", "/clusters/live"): (FIELD, 200),
    ("GET", "/clusters/{cluster_id}"): (FIELD, 200),
    ("GET", "/orders"): (FIELD, 200),
    ("POST", "/orders"): ("technician", FORM),
    ("GET", "/orders/{order_id}"): (FIELD, 404),
    ("GET", "/orders/{order_id}/executions.csv"): (FIELD, 404),
    ("POST", "/orders/{order_id}/cancel"): ("technician", 404),
    ("GET", "/api/v1/orders"): (FIELD, 200),
    ("POST", "/api/v1/orders"): ("technician", FORM),
    ("GET", "/api/v1/orders/{order_id}"): (FIELD, 404),
    ("POST", "/api/v1/orders/{order_id}/cancel"): ("technician", 404),
    ("GET", "/swap"): ("technician", 200),
    ("GET", "/inventory"): ("technician province", 200),
    ("GET", "/inventory.csv"): ("technician province", 200),
    ("GET", "/inventory.xlsx"): ("technician province", 200),
    ("POST", "/inventory"): ("technician province", FORM),
    ("GET", "/inventory/{import_id}"): ("technician province", 404),
    ("POST", "/inventory/{import_id}"): ("technician province", 404),
    ("POST", "/api/v1/inventory"): ("technician province", 422),
    ("GET", "/api/v1/inventory/{import_id}"): ("technician province", 404),
    ("POST", "/api/v1/inventory/{import_id}/take"): ("technician province", 404),
    ("GET", "/api/v1/hardware-classes"): (FIELD, 200),
    ("PUT", "/api/v1/hardware-classes"): ("technician province", 422),
    ("PUT", "/api/v1/clusters/{cluster_id}/notes"): ("technician province", 204),
    ("PUT", "/api/v1/clusters/{cluster_id}/photo"): ("technician province", 415),
    ("POST", "/clusters/{cluster_id}/notes"): ("technician province", 303),
    ("GET", "/clusters/new"): ("technician province", 200),
    ("POST", "/clusters/new"): ("technician province", FORM),
    ("GET", "/clusters/{cluster_id}/hardware"): (FIELD, 200),
    ("GET", "/clusters/{cluster_id}/photo"): (FIELD, 404),
    ("POST", "/clusters/{cluster_id}/photo"): ("technician province", 415),
    ("POST", "/clusters/{cluster_id}/swap"): ("technician", FORM),
    ("POST", "/clusters/{cluster_id}/release"): ("technician", 409),
    ("POST", "/clusters/{cluster_id}/place"): ("technician province", FORM),
    ("POST", "/clusters/{cluster_id}/papers"): ("technician province", 409),
    ("POST", "/clusters/{cluster_id}/book"): ("technician province", FORM),
    ("POST", "/clusters/{cluster_id}/take-down"): ("technician province", FORM),
    ("POST", "/clusters/{cluster_id}/commands"): ("technician", FORM),
    ("GET", "/clusters/{cluster_id}/commands/rows"): (FIELD, 200),
    ("GET", "/clusters/{cluster_id}/commands/live"): (FIELD, 200),
    ("POST", "/clusters/{cluster_id}/description"): ("broadcaster technician province", FORM),
    ("GET", "/map"): (FIELD, 200),
    ("GET", "/map/picture"): ("broadcaster", 200),
    ("POST", "/map"): (FIELD, 200),
    ("GET", "/feedback"): ("broadcaster approver", 200),
    ("POST", "/feedback"): ("broadcaster", FORM),
    ("GET", "/feedback.csv"): ("broadcaster approver", 200),
    ("GET", "/feedback/{feedback_id}"): ("broadcaster approver", 404),
    ("POST", "/feedback/{feedback_id}"): ("broadcaster", 404),
    ("GET", "/groups"): ("broadcaster", 200),
    ("GET", "/groups/new"): ("broadcaster", 200),
    ("POST", "/groups"): ("broadcaster", FORM),
    ("GET", "/groups/{group_id}"): ("broadcaster", 404),
    ("POST", "/groups/{group_id}"): ("broadcaster", 404),
    ("GET", "/units"): ("technician province", 200),
    ("POST", "/units/accept"): ("technician province", FORM),
    ("POST", "/units/enrolments/{enrolment_id}/refuse"): ("technician province", 404),
    ("POST", "/units/factory"): ("province", FORM),
    ("POST", "/units/{unit_id}/revoke"): ("province", 404),
    ("POST", "/api/v1/enrolments"): ("", 401),
    ("POST", "/api/v1/enrolments/renewals"): ("", 401),
    ("GET", "/api/v1/enrolments/{name}"): ("", 401),
    ("GET", "/areas"): (ALL, 200),
    ("GET", "/playings"): (ALL, 200),
    ("GET", "/playings.csv"): (ALL, 200),
    ("GET", "/areas/merge"): ("administrator", 200),
    ("POST", "/areas/merge"): ("administrator", FORM),
    ("GET", "/areas/{area_id}/undo"): ("administrator", 404),
    ("POST", "/areas/{area_id}/undo"): ("administrator", 404),
    ("GET", "/areas/districts"): ("administrator", 200),
    ("POST", "/areas/districts"): ("administrator", FORM),
    ("GET", "/emergency-set"): ("province emergency", 200),
    ("POST", "/emergency-set"): ("province emergency", FORM),
    ("POST", "/emergency-set/remove"): ("province emergency", FORM),
    ("GET", "/cap"): ("province emergency", 200),
    ("GET", "/cap/{message_id}"): ("province emergency", 404),
    ("POST", "/cap/{message_id}"): ("emergency", 404),
    ("GET", "/cap-feeds"): ("province emergency", 200),
    ("POST", "/cap-feeds"): ("province emergency", FORM),
    ("POST", "/cap-feeds/{feed_id}"): ("province emergency", 404),
    ("POST", "/cap-rules/{rule_id}"): ("province emergency", 404),
    ("GET", "/cap/feed.xml"): (OPEN, 404),
    ("GET", "/cap/{name}.xml"): (OPEN, 404),
    ("POST", "/api/v1/cap"): ("", 401),
    ("GET", "/live"): (ALL, 200),
    ("GET", "/live/new"): ("broadcaster", 200),
    ("POST", "/live/new"): ("broadcaster", FORM),
    ("GET", "/live/emergency"): ("emergency", 200),
    ("POST", "/live/emergency"): ("emergency", FORM),
    ("GET", "/live/{voice_id}"): (ALL, 404),
    ("GET", "/live/{voice_id}/rows"): (ALL, 404),
    ("POST", "/live/{voice_id}/decide"): ("approver", 404),
    ("POST", "/live/{voice_id}/stop"): (ALL, 404),
    ("POST", "/live/{voice_id}/confirm"): ("approver emergency", 404),
    ("GET", "/api/v1/live"): (ALL, 200),
    ("GET", "/api/v1/live/{voice_id}"): (ALL, 404),
    ("POST", "/api/v1/live/{voice_id}/stop"): (ALL, 404),
    ("GET", "/fleet"): (FIELD, 200),
    ("GET", "/fleet.csv"): (FIELD, 200),
    ("GET", "/fleet.xlsx"): (FIELD, 200),
    ("GET", "/fleet/map"): (FIELD, 200),
    ("GET", "/fleet/trends"): (FIELD, 200),
    ("GET", "/fleet/trends.csv"): (FIELD, 200),
    ("GET", "/fleet/trends.xlsx"): (FIELD, 200),
    ("GET", "/fleet/{area_id}"): (FIELD, 404),
    ("GET", "/fleet/{area_id}.csv"): (FIELD, 404),
    ("GET", "/fleet/{area_id}.xlsx"): (FIELD, 404),
    ("GET", "/fleet/{area_id}/history.csv"): (FIELD, 404),
    ("GET", "/fleet/{area_id}/history.xlsx"): (FIELD, 404),
    ("GET", "/clusters/{cluster_id}/history"): (FIELD, 200),
    ("GET", "/clusters/{cluster_id}/history.csv"): (FIELD, 200),
    ("GET", "/clusters/{cluster_id}/history.xlsx"): (FIELD, 200),
    ("GET", "/api/v1/fleet"): (FIELD, 200),
    ("GET", "/api/v1/fleet/trends"): (FIELD, 200),
    ("GET", "/api/v1/fleet/{area_id}"): (FIELD, 404),
    ("GET", "/api/v1/clusters/{cluster_id}/history"): (FIELD, 200),
    ("GET", "/rounds"): (FIELD, 200),
    ("POST", "/rounds"): ("technician", FORM),
    ("GET", "/rounds/{round_id}"): (FIELD, 404),
    ("POST", "/rounds/{round_id}/start"): ("technician", 404),
    ("POST", "/rounds/{round_id}/finish"): ("technician", 404),
    ("GET", "/rounds/{round_id}/stops/{stop_id}"): (FIELD, 404),
    ("POST", "/rounds/{round_id}/stops/{stop_id}"): ("technician", 404),
    ("POST", "/rounds/{round_id}/stops/{stop_id}/test"): ("technician", 404),
    ("POST", "/rounds/{round_id}/stops/{stop_id}/photos"): ("technician", 404),
    ("GET", "/rounds/{round_id}/stops/{stop_id}/test/rows"): (FIELD, 404),
    ("GET", "/rounds/{round_id}/stops/{stop_id}/test/live"): (FIELD, 404),
    ("GET", "/rounds/{round_id}/photos/{entry_id}"): (FIELD, 404),
    ("GET", "/api/v1/rounds"): (FIELD, 200),
    ("POST", "/api/v1/rounds"): ("technician", FORM),
    ("GET", "/api/v1/rounds/{round_id}"): (FIELD, 404),
    ("POST", "/api/v1/rounds/{round_id}/start"): ("technician", 404),
    ("POST", "/api/v1/rounds/{round_id}/finish"): ("technician", 404),
    ("POST", "/api/v1/rounds/{round_id}/entries"): ("technician", 404),
    ("PUT", "/api/v1/rounds/{round_id}/photos/{entry_id}"): ("technician", 404),
    ("GET", "/faults"): (FIELD, 200),
    ("GET", "/faults/{fault_id}"): (FIELD, 404),
    ("POST", "/faults/{fault_id}"): ("technician", 404),
    ("POST", "/planned-works"): ("technician", FORM),
    ("POST", "/planned-works/{work_id}/end"): ("technician", 404),
    ("GET", "/api/v1/faults"): (FIELD, 200),
    ("GET", "/api/v1/faults/{fault_id}"): (FIELD, 404),
    ("POST", "/api/v1/faults/{fault_id}/moves"): ("technician", 404),
    ("GET", "/api/v1/planned-works"): (FIELD, 200),
    ("POST", "/api/v1/planned-works"): ("technician", FORM),
    ("POST", "/api/v1/planned-works/{work_id}/end"): ("technician", 404),
    ("GET", "/relays"): (ALL, 200),
    ("POST", "/relays"): ("administrator province", FORM),
    ("POST", "/relays/{source_id}"): ("administrator province", 404),
    ("GET", "/sandbox"): (FIELD, 200),
    ("GET", "/sandbox/rows"): (FIELD, 200),
    ("GET", "/sandbox/live"): (FIELD, 200),
    ("POST", "/sandbox/act"): (FIELD, FORM),
    ("POST", "/sandbox/clock"): (FIELD, FORM),
    ("GET", "/metrics"): ("province", 200),
    ("GET", "/people"): ("administrator province", 200),
    ("GET", "/people/new"): ("administrator", 200),
    ("POST", "/people/new"): ("administrator", FORM),
    ("GET", "/people/{user_id}"): ("administrator province", 200),
    ("POST", "/people/{user_id}"): ("administrator province", FORM),
    ("GET", "/delegations"): ("approver administrator", 200),
    ("POST", "/delegations"): ("approver", FORM),
    ("POST", "/delegations/{delegation_id}/end"): ("approver administrator", 404),
    ("GET", "/exceptions"): ("administrator auditor", 200),
    ("POST", "/exceptions"): ("administrator", FORM),
    ("POST", "/exceptions/{exception_id}/end"): ("administrator", 404),
    ("GET", "/audit"): ("auditor", 200),
    ("GET", "/api/v1/people"): ("administrator province", 200),
    ("POST", "/api/v1/people"): ("administrator", FORM),
    ("GET", "/api/v1/people/{user_id}"): ("administrator province", 200),
    ("POST", "/api/v1/people/{user_id}/invite"): ("administrator", 201),
    ("POST", "/api/v1/people/{user_id}/grants"): ("administrator", 404),
    ("DELETE", "/api/v1/people/{user_id}/grants/{grant_id}"): ("administrator", 404),
    ("POST", "/api/v1/people/{user_id}/acts/{act}"): ("administrator province", FORM),
    ("GET", "/api/v1/audit"): ("auditor", 200),
    ("GET", "/api/v1/relay-sources"): (ALL, 200),
    ("POST", "/api/v1/relay-sources"): ("administrator province", FORM),
    ("PUT", "/api/v1/relay-sources/{source_id}"): ("administrator province", 404),
    ("POST", "/api/v1/relay-sources/{source_id}/retire"): ("administrator province", 404),
    ("GET", "/u/assets/{name}"): ("", 401),
    ("HEAD", "/u/assets/{name}"): ("", 401),
    ("GET", "/assets/{sha256}/listen"): (ALL, 200),
    ("HEAD", "/assets/{sha256}/listen"): (ALL, 200),
    ("POST", "/api/v1/password"): ("", 401),
    ("POST", "/api/v1/sessions"): ("", 401),
    ("GET", "/api/v1/sessions"): (ALL, 200),
    ("DELETE", "/api/v1/sessions/{session_id}"): (ALL, 404),
    ("POST", "/api/v1/second-factor"): (ALL, 201),
    ("POST", "/api/v1/second-factor/confirm"): (ALL, 401),
    ("POST", "/api/v1/second-factor/give"): (ALL, 401),
    ("POST", "/api/v1/second-factor/codes"): (ALL, FORM),
    ("POST", "/api/v1/recordings"): ("broadcaster", 415),
    ("OPTIONS", "/api/v1/uploads"): (OPEN, 204),
    ("POST", "/api/v1/uploads"): ("broadcaster province emergency", 412),
    ("GET", "/api/v1/uploads/{upload_id}"): (ALL, 404),
    ("HEAD", "/api/v1/uploads/{upload_id}"): (ALL, 404),
    ("PATCH", "/api/v1/uploads/{upload_id}"): (ALL, 404),
    ("DELETE", "/api/v1/uploads/{upload_id}"): (ALL, 404),
    ("GET", "/api/v1/broadcasts"): (ALL, 200),
    ("POST", "/api/v1/broadcasts"): ("broadcaster", FORM),
    ("POST", "/api/v1/broadcasts/preview"): ("broadcaster", 200),
    ("GET", "/api/v1/broadcasts/{broadcast_id}"): (ALL, 200),
    ("PUT", "/api/v1/broadcasts/{broadcast_id}"): ("broadcaster", FORM),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/approve"): ("approver", 409),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/reject"): ("approver", FORM),
    ("GET", "/api/v1/voices"): ("broadcaster", 200),
    ("GET", "/api/v1/phrases"): ("broadcaster", 200),
    ("POST", "/api/v1/phrases/recordings"): ("broadcaster", FORM),
    ("POST", "/api/v1/phrases/{phrase}"): ("broadcaster", FORM),
    ("POST", "/api/v1/speech/reading"): ("broadcaster", FORM),
    ("POST", "/api/v1/speech"): ("broadcaster", FORM),
    ("GET", "/api/v1/pronunciations"): ("broadcaster", 200),
    ("POST", "/api/v1/pronunciations"): ("broadcaster", FORM),
    ("PUT", "/api/v1/pronunciations/style"): ("broadcaster", 204),
    ("POST", "/api/v1/pronunciations/{word_id}/drop"): ("broadcaster", 404),
    ("GET", "/api/v1/sounds"): ("broadcaster", 200),
    ("POST", "/api/v1/sounds"): ("broadcaster", FORM),
    ("POST", "/api/v1/sounds/{sound_id}/drop"): ("broadcaster", 404),
    ("POST", "/api/v1/stations/{station_id}/chime"): ("broadcaster", 204),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/reschedule"): ("broadcaster", 409),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/preview"): ("broadcaster", 200),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/leave-out"): ("broadcaster approver", 409),
    ("POST", "/api/v1/schedule/copy"): ("broadcaster", FORM),
    ("GET", "/api/v1/schedule.ics"): (ALL, 200),
    ("GET", "/api/v1/dry-run"): (ALL, 200),
    ("GET", "/api/v1/stations/{station_id}/regulation"): (ALL, 200),
    ("PUT", "/api/v1/stations/{station_id}/regulation"): ("approver administrator", FORM),
    ("POST", "/api/v1/stations/{station_id}/regulation/preview"): ("approver administrator", FORM),
    ("POST", "/api/v1/schedule/import"): ("broadcaster", FORM),
    ("POST", "/api/v1/broadcasts/{broadcast_id}/withdraw"): ("broadcaster approver", 200),
    ("GET", "/api/v1/broadcasts/{broadcast_id}/deliveries"): (ALL, 200),
    ("GET", "/api/v1/priority-clashes"): ("approver", 200),
    ("POST", "/api/v1/priority-clashes"): ("approver", FORM),
    ("GET", "/api/v1/deliveries/{delivery_id}/why"): (ALL, 200),
    ("GET", "/api/v1/delegations"): ("approver administrator", 200),
    ("GET", "/api/v1/delegations/candidates"): ("approver", 200),
    ("POST", "/api/v1/delegations"): ("approver", FORM),
    ("DELETE", "/api/v1/delegations/{delegation_id}"): ("approver administrator", 404),
    ("GET", "/api/v1/own-exceptions"): ("administrator auditor", 200),
    ("POST", "/api/v1/own-exceptions"): ("administrator", FORM),
    ("DELETE", "/api/v1/own-exceptions/{exception_id}"): ("administrator", 404),
    ("GET", "/api/v1/alerts"): ("approver emergency", 200),
    ("POST", "/api/v1/alerts/{alert_id}/confirm"): ("approver emergency", 404),
    ("GET", "/emergency"): ("emergency", 200),
    ("GET", "/emergency/map"): ("emergency", 200),
    ("POST", "/emergency/preview"): ("emergency", 200),
    ("POST", "/emergency/speech"): ("emergency", FORM),
    ("POST", "/emergency"): ("emergency", 200),
    ("POST", "/emergency/silence"): ("emergency", 303),
    ("GET", "/emergency/{alert_id}"): ("approver emergency", 404),
    ("GET", "/emergency/{alert_id}/rows"): ("approver emergency", 404),
    ("GET", "/emergency/{alert_id}/live"): ("approver emergency", 404),
    ("POST", "/emergency/{alert_id}/cancel"): ("emergency", 404),
    ("POST", "/emergency/{alert_id}/texts"): ("emergency", 404),
    ("GET", "/guide/emergency"): (ALL, 200),
    ("GET", "/drills"): ("approver emergency", 200),
    ("POST", "/drills/preview"): ("emergency", 200),
    ("POST", "/drills"): ("emergency", 200),
    ("POST", "/drills/silence"): ("emergency", 303),
    ("GET", "/drills/{drill_id}"): ("approver emergency", 404),
    ("GET", "/drills/{drill_id}/rows"): ("approver emergency", 404),
    ("GET", "/drills/{drill_id}/live"): ("approver emergency", 404),
    ("POST", "/drills/{drill_id}/decide"): ("approver emergency", 404),
    ("GET", "/alerts"): ("approver emergency", 200),
    ("POST", "/alerts/{alert_id}/confirm"): ("approver emergency", 404),
    ("GET", "/api/v1/broadcasts/{broadcast_id}/holders"): (ALL, 200),
    ("GET", "/api/v1/emergency-set"): ("province emergency", 200),
    ("POST", "/api/v1/emergency-set/recordings"): ("province emergency", FORM),
    ("POST", "/api/v1/emergency-set/remove"): ("province emergency", FORM),
    ("POST", "/api/v1/wanted/firmware"): ("province", FORM),
    ("POST", "/api/v1/wanted/settings"): ("province", FORM),
    ("GET", "/api/v1/campaigns"): (ALL, 200),
    ("GET", "/api/v1/campaigns/templates"): (ALL, 200),
    ("POST", "/api/v1/campaigns/preview"): ("broadcaster", 200),
    ("POST", "/api/v1/campaigns"): ("broadcaster", FORM),
    ("GET", "/api/v1/campaigns/{campaign_id}"): (ALL, 200),
    ("POST", "/api/v1/campaigns/{campaign_id}/end"): ("broadcaster approver", FORM),
    ("POST", "/api/v1/campaigns/{campaign_id}/forms"): ("broadcaster approver", 200),
    ("GET", "/api/v1/published"): (ALL, FORM),
    ("GET", "/api/v1/clusters"): (FIELD, 200),
    ("GET", "/api/v1/clusters/{cluster_id}"): (FIELD, 200),
    ("POST", "/api/v1/clusters"): ("technician province", FORM),
    ("GET", "/api/v1/clusters/{cluster_id}/hardware"): (FIELD, 200),
    ("PUT", "/api/v1/clusters/{cluster_id}/hardware"): ("technician province", 204),
    ("PUT", "/api/v1/clusters/{cluster_id}/place"): ("technician province", FORM),
    ("POST", "/api/v1/clusters/{cluster_id}/swap"): ("technician", FORM),
    ("POST", "/api/v1/clusters/{cluster_id}/release"): ("technician", 409),
    ("POST", "/api/v1/clusters/{cluster_id}/take-down"): ("technician province", FORM),
    ("PUT", "/api/v1/clusters/{cluster_id}/hearing"): ("broadcaster technician province", FORM),
    ("GET", "/api/v1/clusters/{cluster_id}/description"): (ALL, 200),
    ("PUT", "/api/v1/clusters/{cluster_id}/description"): ("broadcaster technician province", FORM),
    ("GET", "/api/v1/areas"): (ALL, 200),
    ("GET", "/api/v1/playings"): (ALL, FORM),
    ("POST", "/api/v1/areas/merge/preview"): ("administrator", FORM),
    ("POST", "/api/v1/areas/merge"): ("administrator", FORM),
    ("POST", "/api/v1/areas/districts/preview"): ("administrator", FORM),
    ("POST", "/api/v1/areas/districts/end"): ("administrator", FORM),
    ("GET", "/api/v1/areas/{area_id}/undo"): ("administrator", 404),
    ("POST", "/api/v1/areas/{area_id}/undo"): ("administrator", 404),
    ("GET", "/api/v1/feedback"): ("broadcaster approver", 200),
    ("POST", "/api/v1/feedback"): ("broadcaster", FORM),
    ("GET", "/api/v1/feedback/{feedback_id}"): ("broadcaster approver", 404),
    ("POST", "/api/v1/feedback/{feedback_id}/answer"): ("broadcaster", 404),
    ("POST", "/api/v1/feedback/{feedback_id}/link"): ("broadcaster", 404),
    ("POST", "/api/v1/feedback/{feedback_id}/erase-contact"): ("broadcaster", 404),
    ("GET", "/api/v1/groups"): ("broadcaster", 200),
    ("POST", "/api/v1/groups"): ("broadcaster", FORM),
    ("PUT", "/api/v1/groups/{group_id}"): ("broadcaster", FORM),
    ("POST", "/api/v1/groups/{group_id}/drop"): ("broadcaster", 404),
    ("GET", "/api/v1/clusters/{cluster_id}/commands"): (FIELD, 200),
    ("POST", "/api/v1/clusters/{cluster_id}/commands"): ("technician", FORM),
}
"""(method, path) to who may, and what they are answered with the fields of `told` below."""

ALSO: dict[tuple[str, str], set[int]] = {
    ("POST", "/api/v1/broadcasts/{broadcast_id}/reschedule"): {FORM},
    ("POST", "/api/v1/broadcasts/{broadcast_id}/leave-out"): {FORM},
    ("POST", "/api/v1/broadcasts/{broadcast_id}/preview"): {409, FORM},
    ("PUT", "/api/v1/broadcasts/{broadcast_id}"): {409},
    ("POST", "/api/v1/recordings"): {415},
    ("POST", "/broadcasts/{broadcast_id}/withdraw"): {409},
    ("POST", "/sounds/{sound_id}/drop"): {404},
    ("POST", "/api/v1/sounds/{sound_id}/drop"): {204},
    ("POST", "/api/v1/broadcasts/{broadcast_id}/withdraw"): {409},
    ("POST", "/api/v1/second-factor"): {409},
    ("POST", "/api/v1/second-factor/confirm"): {409},
    ("POST", "/api/v1/second-factor/codes"): {401},
}
"""Where it also matters who came before, or who asks."""

SOCKETS = {("WS", "/live/{voice_id}/voice")}
"""Asked in test_live_socket.py, by every role."""

OWN = ("/login", "/logout", "/code", "/password", "/second-factor", "/language")
"""What is open while something is owed."""


def routes(router: Any) -> Iterator[tuple[str, str]]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield from ((method, route.path_format) for method in route.methods)
        elif isinstance(route, APIWebSocketRoute):
            yield "WS", route.path_format
        elif hasattr(route, "original_router"):
            prefix = route.include_context.prefix
            yield from ((method, prefix + path) for method, path in routes(route.original_router))
        else:
            raise AssertionError(f"a route of another kind: {route}")


def test_no_route_is_missing_from_the_table(house: House) -> None:
    assert set(routes(house.app)) == TABLE.keys() | SOCKETS


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """With the second factor, as in production."""
    found = open_house(
        tmp_path_factory.mktemp("house"),
        sandbox=True,
        metrics_token="mot-ma-dai-du-de-thu",
        rules=replace(AT_EASE, second_factor=True),
    )
    for role in Role:
        found.add_user(f"trong-{role}", role, PROVINCE[0])
        found.add_user(f"ngoai-{role}", role, ELSEWHERE)
        found.add_user(f"chua-{role}", role, PROVINCE[0])
    found.add_user("mot-nguoi", Role.TECHNICIAN, SELF)
    yield found
    found.ctx.db.close()


@pytest.fixture(scope="module")
def people(house: House) -> dict[str, Person]:
    """Each role, at the province (inside) and at another commune (outside), with the second factor where it asks."""
    found = {str(role): person(house, f"trong-{role}") for role in Role}
    found |= {f"outside {role}": person(house, f"ngoai-{role}") for role in Role}
    return found | {"elsewhere": found["outside broadcaster"]}


@pytest.fixture(scope="module")
def told(house: House, asset: Asset) -> dict[str, str]:
    """A broadcast of the first commune that waits, another that is approved, and what the paths want to know."""
    author, approver = house.actor("phatthanh"), house.actor("lanhdao")
    waiting = submit(house.ctx, author, house.draft(asset.sha256))
    other = submit(house.ctx, author, house.draft(asset.sha256))
    approve(house.ctx, approver, other, look_at(house.ctx, approver, other)[2])
    with house.ctx.db.read() as session:
        row = proof(session, author, other, None, house.clock.now()).rows[0]
    return {
        "broadcast_id": waiting,
        "campaign_id": house.begin_series(asset.sha256),
        "delivery_id": row.delivery.id,
        "cluster_id": row.delivery.cluster_id,
        "station_id": SELF.replace("c-", "s-"),
        "sha256": asset.sha256,
        "sound_id": sounds.keep(house.ctx, author, "chime", "Nhạc hiệu", asset.sha256, SELF),
        "name": "app.css",
        "user_id": house.actor("mot-nguoi").id,
        "grant_id": "999999",
        "group_id": "never-was",
        "feedback_id": "never-was",
        "area_id": "never-was",
        "act": "unlock",
        "phrase": "storm",
        "code": "never-was",
        **dict.fromkeys(
            (
                "voice_id",
                "session_id",
                "delegation_id",
                "exception_id",
                "alert_id",
                "source_id",
                "upload_id",
                "word_id",
                "drill_id",
                "import_id",
            ),
            "never-was",
        ),
        **dict.fromkeys(("rule_id", "message_id", "feed_id", "enrolment_id", "unit_id"), "never-was"),
        **dict.fromkeys(("fault_id", "work_id", "round_id", "stop_id", "entry_id", "order_id"), "never-was"),
        "mark": "0",
    }


@pytest.fixture(autouse=True)
def no_stream_lasts(house: House) -> Iterator[None]:
    house.office.closing.set()
    yield
    house.office.closing.clear()


@pytest.mark.parametrize(("method", "path"), TABLE)
@pytest.mark.requirement("R-113", "R-112", "R-120")
def test_each_route_opens_for_those_who_may_and_for_nobody_else(
    house: House, people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    who, answer = TABLE[(method, path)]
    for role in Role:
        somebody = people[role]
        if path == "/logout":
            somebody = person(house, "mot-nguoi")
        status, where = ask(somebody.client, method, path, told, somebody.token())
        if path == "/logout":
            assert (status, where) == (303, "/login")
            return
        if path == "/login":
            assert (status, where) == ((303, "/") if method == "GET" else (answer, ""))
        elif who == OPEN or role in who.split():
            acceptable = {answer} | ALSO.get((method, path), set())
            assert status in acceptable, f"{role} may, and was answered {status}"
        else:
            assert status == (403 if who else answer), f"{role} may not, and was answered {status}"


@pytest.mark.requirement("R-112", "R-120")
@pytest.mark.parametrize(("method", "path"), [key for key in TABLE if "_id}" in key[1] or "{sha256}" in key[1]])
def test_no_role_elsewhere_opens_what_lies_here(
    people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    if "session_id" in path:
        return  # one's own, wherever one works
    for role in Role:
        somebody = people[f"outside {role}"]
        status, _ = ask(somebody.client, method, path, told, somebody.token())
        expected = {403, 404, FORM} if method == "PUT" or path.endswith("reject") else {403, 404}
        assert status in expected, f"{role} of another commune was answered {status}"
        if role not in TABLE[(method, path)][0].split():
            assert status == 403 or method == "PUT", f"{role} may not at all, and was answered {status}"


@pytest.fixture(scope="module")
def unfinished(house: House) -> dict[Role, Person]:
    """The roles that ask for a second factor, with the right password and none yet."""
    found = {}
    for role in Role:
        if needs_factor([role]):
            found[role] = Person(house)
            assert "/second-factor" in {form.action for form in found[role].log_in(f"chua-{role}").forms}
    assert set(found) >= {Role.APPROVER, Role.EMERGENCY, Role.ADMINISTRATOR}
    return found


@pytest.mark.requirement("R-115")
@pytest.mark.parametrize(("method", "path"), [key for key in TABLE if TABLE[key][0] not in (OPEN, "")])
def test_without_the_second_factor_that_the_role_asks_for_nothing_opens(
    unfinished: dict[Role, Person], told: dict[str, str], method: str, path: str
) -> None:
    if path in OWN or path.endswith(("/second-factor", "/second-factor/confirm")):
        return
    for role, somebody in unfinished.items():
        token = re.search(r'data-token="([^"]+)"', somebody.client.get("/second-factor").text)
        assert token
        status, where = ask(somebody.client, method, path, told, token.group(1))
        if path.startswith(("/api/", "/assets/", "/metrics")):
            assert status == 403, f"{role} was answered {status}"
        elif path.endswith("/live"):
            assert status in (204, 303)
        else:
            assert (status, where.split("?")[0]) == (303, "/second-factor"), f"{role} was answered {status}"


@pytest.mark.parametrize(("method", "path"), TABLE)
def test_without_a_session_nothing_opens(house: House, told: dict[str, str], method: str, path: str) -> None:
    who, answer = TABLE[(method, path)]
    stranger = TestClient(house.app)
    status, where = ask(stranger, method, path, told, None)
    if method in ("POST", "PUT") and who == OPEN:
        assert status == 403, "a form without its token"
    elif who == OPEN:
        assert status == answer
    elif path.startswith(("/api/", "/u/", "/assets/", "/metrics")):
        assert status == 401
    elif path.endswith("/live"):
        assert status in (204, 303)
    else:
        assert status == 303
        assert where.startswith("/login")


@pytest.mark.parametrize(("method", "path"), [key for key in TABLE if key[0] in ("POST", "PUT") and TABLE[key][0]])
def test_a_form_without_its_token_changes_nothing(
    people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    for token in (None, "x" * 32):
        status, _ = ask(people["broadcaster"].client, method, path, told, token)
        assert status == 403


@pytest.mark.requirement("R-112", "R-008")
@pytest.mark.parametrize(("method", "path"), [key for key in TABLE if "_id}" in key[1] or "{sha256}" in key[1]])
def test_what_lies_in_another_commune_is_as_unknown_as_what_never_was(
    people: dict[str, Person], told: dict[str, str], method: str, path: str
) -> None:
    somebody = people["elsewhere"]
    token = somebody.token()
    same = {"act": "unlock", "grant_id": "1"}
    nowhere = same | {name: "0" * 64 if name == "sha256" else "never-was" for name in told if name not in same}
    theirs, _ = ask(somebody.client, method, path, told, token)
    never, _ = ask(somebody.client, method, path, nowhere, token)
    needs_other = "broadcaster" not in TABLE[(method, path)][0]
    expected = {403} if needs_other else {404, FORM} if method == "PUT" else {404}
    assert theirs == never, "the answer tells that it is there"
    assert never in expected


def test_a_one_time_password_opens_nothing_but_its_own_change(house: House) -> None:
    house.add_user("nguoimoi", Role.BROADCASTER, SELF)

    password = accounts.reset_password(house.ctx, "nguoimoi", "test")
    newcomer = Person(house)
    page = newcomer.log_in("nguoimoi", password)
    assert "mật khẩu một lần" in page.text
    for method, path in TABLE:
        if method == "GET" and "{" not in path and path not in ("/healthz", "/login", "/password", "/metrics"):
            answer = newcomer.client.request(method, path, follow_redirects=False)
            if path.startswith(("/api/", "/assets/")):
                assert answer.status_code == 403
            elif path not in ("/cap/feed.xml", "/rounds/worker.js"):  # for everybody
                assert (answer.status_code, answer.headers.get("location")) == (303, "/password")
    give_password(house.ctx, "nguoimoi")
    assert newcomer.get("/").status == 200
    assert PASSWORD not in page.html
