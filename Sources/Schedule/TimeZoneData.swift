import KubernetesModel

/// What the clocks of a place have shown and will show: offsets from UTC, and when they change.
public struct TimeZoneData: Sendable, Hashable {
    /// From one moment on the clocks are so many seconds ahead of UTC.
    struct Change: Sendable, Hashable {
        /// Seconds since 1970-01-01T00:00:00Z.
        var moment: Int64
        var offset: Int64
    }

    /// Before the first change.
    let initialOffset: Int64
    /// By moment, which are all different.
    let changes: [Change]
    /// Applies after the last change; without one its offset stays.
    let rule: PosixZone?

    init(initialOffset: Int64, changes: [Change] = [], rule: PosixZone? = nil) {
        self.initialOffset = initialOffset
        self.changes = changes
        self.rule = rule
    }

    /// Universal time, which needs no file.
    public static let utc = TimeZoneData(initialOffset: 0)

    /// The bounds of a moment in a change: 2⁵⁹ s, before which nothing was, as RFC 9636 says.
    static let moments = -(Int64(1) << 59)...(Int64(1) << 59)

    /// How far the clocks are ahead of UTC, in seconds; negative where they are behind.
    ///
    /// - Parameter moment: within the years 0 to 9999; of others that of the nearest.
    public func offset(at moment: Timestamp) -> Int64 {
        let second = Self.clamped(moment)
        let known = self.changes(from: second, through: second)
        return known.last { $0.moment <= second }?.offset ?? initialOffset
    }

    /// The second that the moment lies in, within the years that `metav1.Time` can write.
    static func clamped(_ moment: Timestamp) -> Int64 {
        let second = moment.truncatedToSeconds.sinceEpoch.components.seconds
        return min(max(second, -62_167_219_200), 253_402_300_799)
    }

    /// The change that the first moment stands after, if there is one, and those up to the last moment; in order.
    func changes(from first: Int64, through last: Int64) -> ArraySlice<Change> {
        let start = max(0, changes.partitioningIndex { $0.moment > first } - 1)
        let end = changes.partitioningIndex { $0.moment > last }
        var result = changes[min(start, end)..<end]
        guard let rule, let known = changes.last?.moment ?? Optional(Int64.min), last > known else { return result }
        // Of rules too, one that is before the first moment: each year has them.
        let years = CivilDate(daysSinceEpoch: CivilDate.floorDivide(first, 86_400)).year - 2
        let lastYear = CivilDate(daysSinceEpoch: CivilDate.floorDivide(last, 86_400)).year + 1
        var ruled: [(order: Int, change: Change)] = []
        for year in years...lastYear {
            for change in rule.changes(in: year) where change.moment > known && change.moment <= last {
                ruled.append((ruled.count, change))
            }
        }
        // The rule may have summer end at the very moment that the next year's begins: the later year counts.
        ruled.sort { ($0.change.moment, $0.order) < ($1.change.moment, $1.order) }
        result.append(contentsOf: ruled.map(\.change))
        return result
    }
}

extension Array {
    /// The first index whose element satisfies the predicate, where all after one that does do too.
    fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
