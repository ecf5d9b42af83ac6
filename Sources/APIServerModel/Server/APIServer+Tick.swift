import JSON
import KubernetesModel

extension APIServer {
    /// What happens by itself: ends and bookmarks of watches, Events that are too old, namespaces that go, garbage.
    ///
    /// To be called about once a second, and after deletions by whoever does not want to wait for it.
    public mutating func tick(now: Timestamp) {
        self.now = max(self.now, now)
        expireEvents()
        collectGarbage(now: self.now)
        refreshQuotas()
        watchers.tick(now: self.now, revision: resourceVersion, bookmarkInterval: options.bookmarkInterval)
    }

    private mutating func expireEvents() {
        guard let resource = registry[type: .coreEvents], now >= nextEventSweep else { return }
        // What comes later, or is updated, expires later than any that is there.
        var next = now + options.eventTimeToLive
        for entry in entries(.coreEvents) {
            let created = entry.metadata["creationTimestamp"]?.string.flatMap { Timestamp($0) }
            // An update of a series begins the hour anew.
            let last =
                (entry.json["series", "lastObservedTime"]?.string ?? entry.json["lastTimestamp"]?.string)
                .flatMap { Timestamp($0) }
            guard let latest = [created, last].compactMap({ $0 }).max() else { continue }
            if now - latest > options.eventTimeToLive {
                remove(entry, resource)
            } else {
                next = min(next, latest + options.eventTimeToLive)
            }
        }
        nextEventSweep = max(next, now + .seconds(10))
    }
}
