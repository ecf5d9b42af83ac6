/// Why a schedule was refused: in which field, where in the text, and what would be right.
public struct ScheduleError: Error, Sendable, Hashable, CustomStringConvertible {
    /// `minute`, `hour`, `day of month`, `month` or `day of week`; nil where the whole text is wrong.
    public var field: String?
    /// The byte of the text, from 0, where what is refused begins.
    public var offset: Int
    /// What is wrong, and what is allowed instead.
    public var reason: String

    /// One line, for example `hour (field 2 of 5, at character 4): 24 is not within 0 to 23; …`.
    public var description: String {
        guard let field, let kind = CronField(rawValue: field) else { return reason }
        return "\(field) (field \(kind.number) of 5, at character \(offset + 1)): \(reason)"
    }
}

/// Text of a user as a message quotes it: short, and without what a terminal would obey.
func quoted(_ text: some StringProtocol) -> String {
    let shown = text.unicodeScalars.prefix(32).map { scalar in
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "\u{FFFD}" : Character(scalar)
    }
    return "\"\(String(shown))\(text.unicodeScalars.count > 32 ? "…" : "")\""
}
