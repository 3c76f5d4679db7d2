"""What the dashboards of the poles show: the fleet, a commune, a cluster."""

from __future__ import annotations

from monitoring.panels import BAD_AT_0, BAD_FROM_1, GOOD_HIGH, Board, Panel, Row, Variable, p95, stat

FLEET = Board(
    "loa-fleet",
    "toàn tỉnh",
    "the fleet",
    (
        Row(
            "Bây giờ",
            "Now",
            (
                stat(
                    "Đã phát, trong 1 ngày",
                    "Sounded, one day",
                    '1 - loa:objective_errors:ratio{window="1d"}',
                    "percentunit",
                    GOOD_HIGH,
                ),
                stat("Đã chứng minh", "Proven", "loa:proven:ratio", "percentunit", GOOD_HIGH),
                stat("Thiết bị đang dùng", "Units in service", "loa:units_in_service:sum"),
                stat(
                    "Mất liên lạc",
                    "Not there",
                    'sum(loa:units:max{presence=~"silent|offline"})',
                    steps=(("green", None), ("orange", 1)),
                ),
                stat("Cảnh báo đang phát", "Alerts that stand", "max(loa_alerts_active)", steps=BAD_FROM_1),
                stat(
                    "Sắp phát mà chưa sẵn sàng",
                    "Next hour, not ready",
                    'max(loa_deliveries_soon{ready="no"})',
                    steps=(("green", None), ("orange", 1)),
                ),
            ),
        ),
        Row(
            "Cam kết 99,5 %",
            "The objective, 99.5 %",
            (
                Panel(
                    "Không phát được, theo cửa sổ",
                    "Did not sound, by window",
                    (("loa:objective_errors:ratio", "{{window}}"),),
                    "percentunit",
                    width=12,
                    steps=(("green", None), ("red", 0.005)),
                    about="0,5 % là mức cho phép / 0.5 % is the allowance.",
                ),
                Panel(
                    "Số lượt không phát được",
                    "How many did not",
                    (("loa:objective_errors:count", "{{window}}"),),
                    width=12,
                ),
            ),
        ),
        Row(
            "Bằng chứng",
            "Proof",
            (
                Panel("Theo kết luận, 24 giờ", "By verdict, 24 h", (("loa:verdicts:max", "{{verdict}}"),)),
                Panel(
                    "Tỷ lệ từng kết luận",
                    "Share of each verdict",
                    (("loa:verdicts:ratio", "{{verdict}}"),),
                    "percentunit",
                ),
                Panel("Theo trạng thái", "By state", (("max by (state) (loa_deliveries_recent)", "{{state}}"),)),
                Panel(
                    "Kết luận đã đưa ra",
                    "Verdicts given",
                    (
                        ("sum(increase(loa_verdicts_total[1h]))", "verdicts"),
                        ("sum(increase(loa_illegal_moves_total[1h]))", "impossible"),
                    ),
                ),
                Panel(
                    "Nghe lại bằng tai điện tử",
                    "Proof by ear",
                    (
                        ("sum by (answer) (increase(loa_ear_matches_total[1h]))", "envelope {{answer}}"),
                        ("sum by (answer) (increase(loa_ear_clips_total[1h]))", "clip {{answer}}"),
                    ),
                ),
                Panel(
                    "Thời gian nghe lại", "Work of a match by ear", ((p95("loa_ear_match_seconds", "1h"), "p95"),), "s"
                ),
            ),
        ),
        Row(
            "Thiết bị",
            "Units",
            (
                Panel("Có mặt", "Presence", (("loa:units:max", "{{presence}}"),)),
                Panel("Tỷ lệ vắng", "Missing", (("loa:units_missing:ratio", "missing"),), "percentunit"),
                Panel(
                    "Sự cố theo mã", "Units with a fault, by code", (("max by (code) (loa_unit_faults)", "{{code}}"),)
                ),
                Panel(
                    "Lệnh trong ngày", "Commands of the day", (("max by (state) (loa_commands_recent)", "{{state}}"),)
                ),
                Panel(
                    "Nói quá nhiều",
                    "Floods",
                    (
                        ("max(loa_units_flooding)", "units"),
                        ("sum by (kind) (increase(loa_flood_dropped_total[15m])) > 0", "{{kind}}"),
                    ),
                ),
            ),
        ),
        Row(
            "Khẩn cấp",
            "Emergency",
            (
                Panel(
                    "Từ lúc bấm đến lúc kêu",
                    "From the press to sound",
                    (
                        ("histogram_quantile(0.5, sum by (le) (rate(loa_alert_sound_seconds_bucket[15m])))", "p50"),
                        (p95("loa_alert_sound_seconds"), "p95"),
                    ),
                    "s",
                ),
                Panel(
                    "Cụm đã kêu",
                    "Poles that sounded",
                    (("sum(increase(loa_alert_sound_seconds_count[15m]))", "poles"),),
                ),
                Panel(
                    "Phát trực tiếp",
                    "Live voices",
                    (
                        ("sum(increase(loa_live_sessions_total[1h]))", "sessions"),
                        ("sum by (fate) (increase(loa_live_packets_total[1h]))", "packets {{fate}}"),
                    ),
                ),
                Panel(
                    "Cảnh báo nơi khác (CAP)",
                    "Warnings of others (CAP)",
                    (("sum by (outcome) (increase(loa_cap_messages_total[1h]))", "{{outcome}}"),),
                    width=12,
                ),
                Panel(
                    "Lấy nguồn CAP",
                    "Fetches of feeds (CAP)",
                    (("sum by (outcome) (increase(loa_cap_fetches_total[1h]))", "{{outcome}}"),),
                    width=12,
                ),
            ),
        ),
    ),
)

_ONLY_ASKED = "Chỉ có khi đặt LOA_METRICS_PER_CLUSTER / only with LOA_METRICS_PER_CLUSTER set."
COMMUNE = Board(
    "loa-commune",
    "một xã",
    "one commune",
    (
        Row(
            "Bây giờ",
            "Now",
            (
                stat("Cụm loa", "Clusters", 'count(max by (cluster) (loa_cluster_online{commune="$commune"}))'),
                stat("Đang nối", "Online", 'sum(max by (cluster) (loa_cluster_online{commune="$commune"}))'),
                stat(
                    "Chưa có kế hoạch mới",
                    "Plan behind",
                    'sum(max by (cluster) (loa_cluster_plan_behind{commune="$commune"}))',
                    steps=(("green", None), ("orange", 1)),
                ),
                stat(
                    "Sự cố",
                    "Faults",
                    'sum(max by (cluster) (loa_cluster_faults{commune="$commune"}))',
                    steps=(("green", None), ("orange", 1)),
                ),
                stat(
                    "Đã phát, 24 giờ",
                    "Sounded, 24 h",
                    '1 - sum(max by (cluster) (loa_cluster_unsounded_recent{commune="$commune"}))'
                    ' / (sum(max by (cluster) (loa_cluster_deliveries_recent{commune="$commune"})) > 0)',
                    "percentunit",
                    GOOD_HIGH,
                ),
                stat(
                    "Bỏ ngoài giới hạn",
                    "Left out",
                    "max(loa_clusters_left_out)",
                    steps=(("green", None), ("orange", 1)),
                ),
            ),
        ),
        Row(
            "Từng cụm",
            "Cluster by cluster",
            (
                Panel(
                    "Đang nối",
                    "Online",
                    (('loa_cluster_online{commune="$commune"}', "{{cluster}}"),),
                    width=12,
                    about=_ONLY_ASKED,
                ),
                Panel(
                    "Không phát được, 24 giờ",
                    "Did not sound, 24 h",
                    (('loa_cluster_unsounded_recent{commune="$commune"} > 0', "{{cluster}}"),),
                    width=12,
                ),
                Panel("Sự cố", "Faults", (('loa_cluster_faults{commune="$commune"} > 0', "{{cluster}}"),), width=12),
                Panel(
                    "Im lặng bao lâu",
                    "Silent for",
                    (('time() - loa_cluster_last_sign_timestamp_seconds{commune="$commune"}', "{{cluster}}"),),
                    "s",
                    width=12,
                ),
            ),
        ),
    ),
    (Variable("commune", "Xã", "label_values(loa_cluster_online, commune)"),),
)

CLUSTER = Board(
    "loa-cluster",
    "một cụm loa",
    "one cluster",
    (
        Row(
            "Bây giờ",
            "Now",
            (
                stat("Đang nối", "Online", 'max(loa_cluster_online{cluster="$cluster"})', steps=BAD_AT_0),
                stat(
                    "Im lặng",
                    "Silent for",
                    'time() - max(loa_cluster_last_sign_timestamp_seconds{cluster="$cluster"})',
                    "s",
                ),
                stat(
                    "Thiếu kế hoạch",
                    "Plan behind",
                    'max(loa_cluster_plan_behind{cluster="$cluster"})',
                    steps=BAD_FROM_1,
                ),
                stat("Sự cố", "Faults", 'max(loa_cluster_faults{cluster="$cluster"})', steps=BAD_FROM_1),
                stat("Lượt phát, 24 giờ", "Deliveries, 24 h", 'max(loa_cluster_deliveries_recent{cluster="$cluster"})'),
                stat(
                    "Không phát được",
                    "Did not sound",
                    'max(loa_cluster_unsounded_recent{cluster="$cluster"})',
                    steps=BAD_FROM_1,
                ),
            ),
        ),
        Row(
            "Điện, nhiệt, sóng",
            "Power, heat, signal",
            (
                Panel(
                    "Điện áp", "Voltage", (('loa_cluster_volts{cluster="$cluster"}', "V"),), "volt", about=_ONLY_ASKED
                ),
                Panel(
                    "Nhiệt độ",
                    "Temperature",
                    (('loa_cluster_temperature_celsius{cluster="$cluster"}', "C"),),
                    "celsius",
                ),
                Panel("Sóng di động", "Signal", (('loa_cluster_signal_dbm{cluster="$cluster"}', "dBm"),), "dBm"),
                Panel(
                    "Bộ nhớ trống",
                    "Free storage",
                    (('loa_cluster_storage_free_megabytes{cluster="$cluster"}', "MB"),),
                    "decmbytes",
                ),
                Panel("Đang nối", "Online", (('loa_cluster_online{cluster="$cluster"}', "online"),)),
                Panel("Sự cố", "Faults", (('loa_cluster_faults{cluster="$cluster"}', "faults"),)),
            ),
        ),
    ),
    (Variable("cluster", "Cụm loa", "label_values(loa_cluster_online, cluster)"),),
)
