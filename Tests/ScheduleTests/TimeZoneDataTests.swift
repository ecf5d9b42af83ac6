import Files
import FuzzProperties
import KubernetesModel
import Testing

@testable import Schedule

@Suite struct TimeZoneDataTests {
    /// A file's parts, to be spoilt one by one.
    private struct File {
        var version = UInt8(ascii: "2")
        var moments: [Int64] = [-1000, 0, 1000]
        var kinds: [UInt8] = [1, 0, 1]
        /// Offset, flag of summer time, place of the name.
        var offsets: [(Int32, UInt8, UInt8)] = [(0, 0, 0), (3600, 1, 4)]
        var names: [UInt8] = Array("GMT\0BST\0".utf8)
        var leapSeconds = 0
        var standardFlags: [UInt8] = []
        var universalFlags: [UInt8] = []
        var footer = "\nGMT0BST,M3.5.0/1,M10.5.0\n"
        /// In place of the true count of changes.
        var count: UInt32?

        var bytes: [UInt8] {
            version == 0 ? block(4) : block(4) + block(8) + Array(footer.utf8)
        }

        private func block(_ size: Int) -> [UInt8] {
            func big(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
            var result = Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
            for count in [
                universalFlags.count, standardFlags.count, leapSeconds, moments.count, offsets.count, names.count,
            ] {
                result += big(UInt32(count))
            }
            if let count { result.replaceSubrange(32..<36, with: big(count)) }
            for moment in moments { result += size == 4 ? big(Int32(truncatingIfNeeded: moment)) : big(moment) }
            result += kinds
            for (offset, flag, name) in offsets { result += big(offset) + [flag, name] }
            result += names + [UInt8](repeating: 0, count: leapSeconds * (size + 4)) + standardFlags + universalFlags
            return result
        }
    }

    private static func offset(_ zone: TimeZoneData, _ text: String) throws -> Int64 {
        zone.offset(at: try #require(Timestamp(text)))
    }

    @Test func changesAndThenTheRuleCount() throws {
        let zone = try TimeZoneData(tzif: File().bytes)
        #expect(
            [-1001, -1000, -1, 0, 999, 1000].map { zone.offset(at: Timestamp(seconds: $0)) } == [
                0, 3600, 3600, 0, 0, 3600,
            ])
        #expect(try Self.offset(zone, "2500-03-28T00:59:59Z") == 0)
        #expect(try Self.offset(zone, "2500-03-28T01:00:00Z") == 3600)
        #expect(try Self.offset(zone, "2500-10-31T00:59:59Z") == 3600)
        #expect(try Self.offset(zone, "2500-10-31T01:00:00Z") == 0)
    }

    @Test func version1HasNoRule() throws {
        let zone = try TimeZoneData(tzif: File(version: 0).bytes)
        #expect(try Self.offset(zone, "1970-01-01T00:00:00Z") == 0)
        #expect(try Self.offset(zone, "2500-01-01T00:00:00Z") == 3600)
    }

    @Test func withoutChangesTheRuleCountsAlways() throws {
        let zone = try TimeZoneData(tzif: File(moments: [], kinds: [], footer: "\n<+0530>-5:30\n").bytes)
        #expect(try Self.offset(zone, "1800-01-01T00:00:00Z") == 19_800)
        #expect(try Self.offset(zone, "2800-01-01T00:00:00Z") == 19_800)
        let withoutRule = try TimeZoneData(tzif: File(moments: [], kinds: [], footer: "\n\n").bytes)
        #expect(withoutRule.offset(at: Timestamp(seconds: 0)) == 0)
    }

    /// The forms of a rule: days of the week, days of the year with and without a leap day, and hours of other days.
    @Test(arguments: [
        ("EST5EDT,M3.2.0,M11.1.0", "2028-03-12T06:59:59Z", -18_000),
        ("EST5EDT,M3.2.0,M11.1.0", "2028-03-12T07:00:00Z", -14_400),
        ("EST5EDT,M3.2.0,M11.1.0", "2028-11-05T05:59:59Z", -14_400),
        ("EST5EDT,M3.2.0,M11.1.0", "2028-11-05T06:00:00Z", -18_000),
        // 1 March is day 60 of each year, 29 February day 59 from 0 of a leap year.
        ("AAA0BBB,J60/0,J300", "2028-02-29T23:59:59Z", 0), ("AAA0BBB,J60/0,J300", "2028-03-01T00:00:00Z", 3600),
        ("AAA0BBB,J60/0,J300", "2027-03-01T00:00:00Z", 3600),
        ("AAA0BBB,59/0,300", "2028-02-29T00:00:00Z", 3600), ("AAA0BBB,59/0,300", "2027-03-01T00:00:00Z", 3600),
        ("AAA0BBB,59/0,300", "2027-02-28T23:59:59Z", 0),
        // Half an hour in the south.
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-01-01T00:00:00Z", 39_600),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-07-01T00:00:00Z", 37_800),
        // Summer time of the whole year (RFC 9636, section 3.3.1).
        ("XXX3EDT4,0/0,J365/23", "2026-01-01T04:00:00Z", -14_400),
        ("XXX3EDT4,0/0,J365/23", "2026-12-31T23:59:59Z", -14_400),
        ("XXX3EDT4,0/0,J365/23", "2027-01-01T03:00:00Z", -14_400),
        ("XXX3EDT4,0/0,J365/23", "2027-06-01T03:00:00Z", -14_400),
        // The Saturday evening before, and two days after a Thursday.
        ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T00:59:59Z", -10_800),
        ("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2026-03-29T01:00:00Z", -7200),
        ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 7200),
        ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 10_800),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-01T00:00:00Z", 0),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-01T00:00:00Z", 3600),
    ])
    func aRuleMeansWhatPOSIXSays(_ rule: String, _ moment: String, _ offset: Int64) throws {
        let file = File(version: UInt8(ascii: "3"), moments: [], kinds: [], footer: "\n\(rule)\n")
        #expect(try Self.offset(TimeZoneData(tzif: file.bytes), moment) == offset)
    }

    @Test(arguments: [
        "GM0", "GMT", "GMT25", "GMT0:60", "GMT0BST", "GMT0BST,", "GMT0BST,M3.5.0", "GMT0BST,M13.5.0,M10.5.0",
        "GMT0BST,M3.6.0,M10.5.0", "GMT0BST,M3.0.0,M10.5.0", "GMT0BST,M3.5.7,M10.5.0", "GMT0BST,M3.5,M10.5.0",
        "GMT0BST,J0,J9", "GMT0BST,J366,J9", "GMT0BST,366,9", "GMT0BST,M3.5.0/168,M10.5.0",
        "GMT0BST,M3.5.0/167:01,M10.5.0",
        "GMT0BST,M3.5.0,M10.5.0,", "GMT0BST,M3.5.0,M10.5.0x", "<G0", "<>0", "<GMT0", "<G T>0", "GMT9999999999999999999",
        "GMT0BST,M3.5.0/99999999999999999999,M10.5.0", " GMT0", "GMT 0", "\u{7F}", "GMT0\nBST",
        String(repeating: "A", count: 300) + "0",
    ])
    func aWrongRuleIsRefused(_ rule: String) {
        let file = File(version: UInt8(ascii: "3"), footer: "\n\(rule)\n")
        let error = #expect(throws: TZifError.self) { try TimeZoneData(tzif: file.bytes) }
        #expect(error?.description.contains("footer") == true, "\(error?.description ?? "")")
    }

    @Test func onlyVersion3HasHoursOfOtherDays() throws {
        for rule in ["GMT0BST,M3.5.0/-1,M10.5.0", "GMT0BST,M3.5.0/25,M10.5.0"] {
            #expect(throws: TZifError.self) { try TimeZoneData(tzif: File(footer: "\n\(rule)\n").bytes) }
            for version in ["3", "4"] as [Unicode.Scalar] {
                _ = try TimeZoneData(tzif: File(version: UInt8(ascii: version), footer: "\n\(rule)\n").bytes)
            }
        }
    }

    private static let spoilt: [(String, @Sendable (inout File) -> Void, String)] = [
        ("version", { $0.version = UInt8(ascii: "5") }, "version"),
        ("no kinds", { ($0.offsets, $0.moments, $0.kinds) = ([], [], []) }, "0 kinds of local time"),
        ("no names", { $0.names = [] }, "0 bytes of names"),
        ("too many kinds", { $0.offsets = [(Int32, UInt8, UInt8)](repeating: (0, 0, 0), count: 257) }, "257 kinds"),
        ("order", { $0.moments = [0, -1, 5] }, "not in order"),
        ("equal", { $0.moments = [0, 0, 5] }, "not in order"),
        ("before all times", { $0.moments = [.min, 0, 5] }, "before or after all times"),
        ("after all times", { $0.moments = [0, 1, .max] }, "before or after all times"),
        ("unknown kind", { $0.kinds = [0, 1, 2] }, "kind of local time that it has not"),
        ("least offset", { $0.offsets[0].0 = .min }, "no offset"),
        ("offset", { $0.offsets[0].0 = 93_600 }, "no offset"),
        ("flag of summer", { $0.offsets[0].1 = 2 }, "summer time"),
        ("name outside", { $0.offsets[0].2 = 8 }, "outside of its names"),
        ("name without end", { $0.names = Array("GMT\0BST+".utf8) }, "no end"),
        ("leap seconds", { $0.leapSeconds = 1 }, "leap seconds"),
        ("one flag too few", { $0.standardFlags = [0] }, "one flag for each"),
        ("flag", { $0.standardFlags = [0, 2] }, "neither 0 nor 1"),
        ("universal alone", { $0.universalFlags = [0, 1] }, "not in standard time"),
        ("count", { $0.count = .max }, "has no room in it"),
        ("count within the file", { $0.count = 60 }, ""),
        ("footer's beginning", { $0.footer = "GMT0\n" }, "does not begin with a new line"),
        ("footer's end", { $0.footer = "\nGMT0" }, "no end"),
        ("footer is one byte", { $0.footer = "\n" }, "no end"),
        ("two footers", { $0.footer = "\nGMT0\n\n" }, "not a line of text"),
        ("size", { $0.footer = "\n" + String(repeating: "G", count: 1 << 16) + "\n" }, "longer than 65536 bytes"),
    ]

    @Test(arguments: spoilt.indices) func aSpoiltFileIsRefused(_ index: Int) {
        let (name, spoil, reason) = Self.spoilt[index]
        var file = File()
        spoil(&file)
        let error = #expect(throws: TZifError.self, "\(name)") { try TimeZoneData(tzif: file.bytes) }
        #expect(error?.description.contains(reason) == true, "\(name): \(error?.description ?? "")")
    }

    @Test func aFileThatEndsEarlyOrGoesOnIsRefused() throws {
        for version in [0, UInt8(ascii: "2")] {
            let bytes = File(version: version).bytes
            for length in 0..<bytes.count {
                #expect(throws: TZifError.self) { try TimeZoneData(tzif: Array(bytes[..<length])) }
            }
            #expect(throws: TZifError.self) { try TimeZoneData(tzif: bytes + [0]) }
        }
    }

    @Test func flagsThatAreWellFormedAreTaken() throws {
        _ = try TimeZoneData(tzif: File(standardFlags: [1, 1], universalFlags: [0, 1]).bytes)
    }
}
