import KubernetesModel

/// Durations as `kubectl` prints them (`k8s.io/apimachinery/pkg/util/duration.HumanDuration`).
enum HumanDuration {
    /// `5s`, `3m10s`, `4h`, `2d`; two significant units at most.
    static func text(_ duration: Duration) -> String {
        let seconds = duration.components.seconds
        if seconds < -1 { return "<invalid>" }
        if seconds < 0 { return "0s" }
        if seconds < 120 { return "\(seconds)s" }
        let minutes = seconds / 60
        if minutes < 10 { return two(minutes, "m", seconds % 60, "s") }
        if minutes < 180 { return "\(minutes)m" }
        let hours = minutes / 60
        if hours < 8 { return two(hours, "h", minutes % 60, "m") }
        if hours < 48 { return "\(hours)h" }
        let days = hours / 24
        if hours < 24 * 8 { return two(days, "d", hours % 24, "h") }
        if days < 365 * 2 { return "\(days)d" }
        if days < 365 * 8 { return two(days / 365, "y", days % 365, "d") }
        return "\(days / 365)y"
    }

    private static func two(_ large: Int64, _ unit: String, _ small: Int64, _ smallUnit: String) -> String {
        small == 0 ? "\(large)\(unit)" : "\(large)\(unit)\(small)\(smallUnit)"
    }

    /// The age of a time as it stands in an object.
    static func since(_ time: String?, now: Timestamp) -> String {
        guard let time else { return "<unknown>" }
        guard let then = Timestamp(time) else { return "<invalid>" }
        return text(now - then)
    }
}
