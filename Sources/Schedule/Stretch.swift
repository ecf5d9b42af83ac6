import KubernetesModel

/// A time in which the offset does not change, by the minutes that its local clocks begin in it.
///
/// Minutes of a local clock are counted from its 1970-01-01 00:00.
struct Stretch: Hashable {
    /// Seconds ahead of UTC.
    var offset: Int64
    /// The minutes that begin in the stretch; never empty.
    var minutes: Range<Int64>
    /// The first minute that no clock has begun before: above the first of the stretch where minutes are repeated in it,
    /// below where some were skipped.
    var reached: Int64

    /// Skipped between the stretch before and this one.
    var skipped: Range<Int64> { min(reached, minutes.lowerBound)..<minutes.lowerBound }
    /// Begun for the first time in this stretch.
    var fresh: Range<Int64> {
        let start = min(max(reached, minutes.lowerBound), minutes.upperBound)
        return start..<minutes.upperBound
    }

    /// When the minute begins, in seconds since 1970-01-01T00:00:00Z.
    func moment(of minute: Int64) -> Int64 { minute * 60 - offset }
    /// The first minute that begins after a moment.
    func minute(after moment: Int64) -> Int64 { CivilDate.floorDivide(moment + offset, 60) + 1 }
}

extension TimeZoneData {
    /// The stretches that have minutes after the first moment and are begun by the last, in order. The last of them may
    /// end sooner than it says, though not before the last moment.
    func stretches(after first: Int64, through last: Int64) -> [Stretch] {
        // Offsets are apart by two days and three hours at most, so nothing from further back is repeated.
        let early = first - 4 * 86_400
        let changes = Array(self.changes(from: early, through: last))
        var result: [Stretch] = []
        var reached: Int64?
        func add(from start: Int64, to end: Int64, _ offset: Int64) {
            let minutes = Self.ceiling(start + offset)..<max(Self.ceiling(start + offset), Self.ceiling(end + offset))
            guard !minutes.isEmpty else { return }
            let stretch = Stretch(offset: offset, minutes: minutes, reached: reached ?? minutes.lowerBound)
            reached = max(reached ?? minutes.lowerBound, minutes.upperBound)
            if end > first { result.append(stretch) }
        }
        let begin = changes.first?.moment ?? Self.moments.upperBound
        if begin > early { add(from: Self.moments.lowerBound, to: begin, initialOffset) }
        for (index, change) in changes.enumerated() {
            let end = index + 1 < changes.count ? changes[index + 1].moment : Self.moments.upperBound
            add(from: change.moment, to: end, change.offset)
        }
        return result
    }

    /// Of the minute that begins at the second or after it.
    private static func ceiling(_ second: Int64) -> Int64 { CivilDate.floorDivide(second + 59, 60) }
}
