"""What the dashboards of our own side show: the planner and the controller."""

from __future__ import annotations

from monitoring.panels import BAD_AT_0, BAD_FROM_1, Board, Panel, Row, p95, stat

PLANNER = Board(
    "loa-planner",
    "lập kế hoạch",
    "the planner",
    (
        Row(
            "Bây giờ",
            "Now",
            (
                stat("Chờ duyệt", "Waiting for approval", "max(loa_broadcasts_waiting)"),
                stat("Kế hoạch chưa lập lại", "Plans not yet compiled", "max(loa_plans_dirty)"),
                stat(
                    "Chờ lâu nhất", "Longest wait", "max(loa_plans_dirty_seconds)", "s", (("green", None), ("red", 300))
                ),
                stat("Thiết bị chưa có kế hoạch mới", "Units behind", "max(loa_plans_behind)"),
                stat("Trễ lâu nhất", "Longest lag", "max(loa_plan_lag_seconds)", "s", (("green", None), ("red", 300))),
                stat("Giờ tới: sẵn sàng", "Next hour: ready", 'max(loa_deliveries_soon{ready="yes"})'),
            ),
        ),
        Row(
            "Từ duyệt đến thiết bị",
            "From approval to the unit",
            (
                Panel(
                    "95 trên 100 nhanh hơn",
                    "95 of 100 are faster",
                    (("loa:dispatch_lag_seconds:p95_15m", "dispatch"), ("loa:apply_lag_seconds:p95_15m", "apply")),
                    "s",
                ),
                Panel(
                    "Thiết bị chậm",
                    "Units behind",
                    (("max(loa_plans_behind)", "behind"), ("max(loa_plans_dirty)", "dirty")),
                ),
                Panel("Trễ nhất", "Oldest plan that is lacking", (("max(loa_plan_lag_seconds)", "lag"),), "s"),
                Panel(
                    "Giờ tới",
                    "The next hour",
                    (("max by (ready) (loa_deliveries_soon)", "ready {{ready}}"),),
                ),
                Panel("Tin gửi đi", "Messages sent", (("sum(rate(loa_messages_published_total[5m]))", "per second"),)),
                Panel(
                    "Công việc từng bước",
                    "Work of each step",
                    (("max by (step) (loa_step_last_duration_seconds)", "{{step}}"),),
                    "s",
                ),
            ),
        ),
        Row(
            "Âm thanh",
            "Audio",
            (
                Panel("Tệp đang chờ", "Files that wait", (("max by (state) (loa_uploads)", "{{state}}"),)),
                Panel(
                    "Đọc văn bản",
                    "Texts read aloud",
                    (("sum by (voice, result) (increase(loa_voice_requests_total[1h]))", "{{voice}} {{result}}"),),
                ),
                Panel(
                    "Thời gian đọc",
                    "Until a text is spoken",
                    ((p95("loa_voice_seconds", "1h", "le, voice"), "{{voice}}"),),
                    "s",
                ),
                stat("Tệp", "Files", "max(loa_files)"),
                stat("Tệp mất hoặc hỏng", "Missing or damaged", "max(loa_files_missing)", steps=BAD_FROM_1),
                stat("Dung lượng", "Their size", "max(loa_files_bytes)", "bytes"),
                stat("Lần dò gần nhất", "Since the collector looked", "time() - max(loa_files_looked_at_seconds)", "s"),
            ),
        ),
    ),
)

CONTROLLER = Board(
    "loa-controller",
    "máy điều khiển",
    "the controller",
    (
        Row(
            "Bây giờ",
            "Now",
            (
                stat("Luồng mạng", "Network thread", "min(loa_broker_thread_alive)", steps=BAD_AT_0),
                stat("Nối với broker", "Broker", "min(loa_broker_connected)", steps=BAD_AT_0),
                stat("Nhật ký kiểm toán", "Audit log", "min(loa_audit_chain_ok)", steps=BAD_AT_0),
                stat(
                    "Chứng chỉ còn",
                    "Certificates hold for",
                    "min(loa_certificate_end_timestamp_seconds) - time()",
                    "s",
                    (("red", None), ("orange", 259200.0), ("green", 1814400.0)),
                ),
                stat(
                    "Lệch đồng hồ",
                    "Clock error",
                    "max(abs(loa_clock_timestamp_seconds - timestamp(loa_clock_timestamp_seconds)))",
                    "s",
                ),
                Panel("Phiên bản", "Version", (("loa_build_info", "{{version}}"),), kind="stat", width=4),
            ),
        ),
        Row(
            "Tin đến",
            "What comes in",
            (
                Panel(
                    "Tin theo loại",
                    "Messages by kind",
                    (("sum by (kind) (rate(loa_messages_received_total[5m]))", "{{kind}}"),),
                ),
                Panel("Mục nhật ký", "Journal entries", (("sum(rate(loa_journal_entries_total[5m]))", "per second"),)),
                Panel(
                    "Hàng đợi",
                    "Queue",
                    (
                        ("max(loa_ingest_queue_depth)", "waiting"),
                        ("sum(increase(loa_ingest_dropped_total[15m]))", "dropped"),
                        ("sum by (kind) (increase(loa_flood_dropped_total[15m])) > 0", "flood {{kind}}"),
                    ),
                ),
                Panel("Một lượt xử lý", "One batch", (("loa:ingest_batch_seconds:p95_5m", "p95"),), "s"),
                Panel(
                    "Để riêng",
                    "Put aside",
                    (("sum by (reason) (increase(loa_contract_violations_total[15m])) > 0", "{{reason}}"),),
                ),
                Panel("Nối lại", "Connections made", (("sum(increase(loa_broker_connects_total[30m]))", "in 30 min"),)),
            ),
        ),
        Row(
            "Các bước",
            "Steps",
            (
                Panel(
                    "Từ lần chạy tốt gần nhất",
                    "Since the last good run",
                    (("time() - (max by (step) (loa_step_last_run_timestamp_seconds) > 0)", "{{step}}"),),
                    "s",
                ),
                Panel(
                    "Lần hỏng", "Failed runs", (("sum by (step) (increase(loa_step_failures_total[15m]))", "{{step}}"),)
                ),
                Panel("Luồng đang chạy", "Threads", (("min by (thread) (loa_threads_alive)", "{{thread}}"),)),
            ),
        ),
        Row(
            "Trang và cơ sở dữ liệu",
            "Pages and database",
            (
                Panel("Trang", "Pages", (("loa:http_request_seconds:p95_5m", "p95"),), "s"),
                Panel(
                    "Trả lời",
                    "Answers",
                    (("sum by (status) (rate(loa_http_request_seconds_count[5m]))", "{{status}}"),),
                ),
                Panel("Lỗi", "Errors", (("loa:http_errors:ratio_5m", "errors"),), "percentunit"),
                Panel("Cơ sở dữ liệu", "Size of the database", (("max(loa_database_bytes)", "bytes"),), "bytes"),
                Panel("Đọc số liệu", "One page of numbers", (("max(loa_snapshot_seconds)", "seconds"),), "s"),
                Panel("Đĩa trống", "Free disk", (("min(loa_storage_free_ratio)", "free"),), "percentunit"),
            ),
        ),
        Row(
            "Tiến trình",
            "Process",
            (
                Panel("Bộ nhớ", "Memory", (('process_resident_memory_bytes{job="loa"}', "bytes"),), "bytes"),
                Panel("Bộ xử lý", "Processor", (('rate(process_cpu_seconds_total{job="loa"}[5m])', "cores"),)),
                Panel(
                    "Việc phát trực tiếp", "Work on live voices", (("rate(loa_live_work_seconds_total[5m])", "cores"),)
                ),
            ),
        ),
    ),
)
