import Files
import Glibc
import KubernetesModel
import Schedule
import Testing

@Suite struct ZoneDirectoryTests {
    @Test(arguments: [
        "", "/", "/etc/passwd", "../../etc/passwd", "Europe/../../../etc/passwd", "Europe/./London", "Europe//London",
        "Europe/London/", "-UTC", "Europe/-London", "Europe/Lon don", "Europe/London\0", "Europe\\London", "Zürich",
        "ThisPartIsTooLong", "A/" + String(repeating: "Bcdef/", count: 12) + "G",
    ])
    func whatIsNoNameIsRefused(_ text: String) {
        let error = #expect(throws: ZoneError.self) { try ZoneName(text) }
        #expect(error?.isMistakeInName == true)
        #expect(error?.description.contains("write one of the IANA database") == true)
    }

    @Test(arguments: ["Local", "local", "LOCAL"]) func theMachinesZoneIsRefused(_ text: String) {
        let error = #expect(throws: ZoneError.self) { try ZoneName(text) }
        #expect(error?.description.contains("would depend on the machine") == true)
    }

    @Test(arguments: [
        "Europe/London", "America/Argentina/ComodRivadavia", "Etc/GMT+5", "EST5EDT", "America/Port-au-Prince", "GB",
    ])
    func zonesOfTheSystemAreFound(_ text: String) throws {
        _ = try ZoneDirectory().zone(ZoneName(text))
    }

    private static func withDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/assay-zones-XXXXXX".utf8CString)
        let path = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { _ = try? FileSystem.remove(path) }
        try body(path)
    }

    @Test func universalTimeNeedsNoFiles() throws {
        for name in ["UTC", "Etc/UTC"] {
            let zone = try ZoneDirectory(path: "/nowhere").zone(ZoneName(name))
            #expect(zone == .utc)
        }
        #expect(try ZoneDirectory(path: "/nowhere").zone(.utc) == .utc)
    }

    @Test func aMachineWithoutZonesIsNoMistakeInTheName() throws {
        let name = try ZoneName("Europe/London")
        let error = #expect(throws: ZoneError.self) { try ZoneDirectory(path: "/nowhere").zone(name) }
        #expect(error == .notInstalled(name, directory: "/nowhere"))
        #expect(error?.isMistakeInName == false)
        #expect(error?.description.contains("install Debian's package tzdata") == true)
    }

    @Test func whatTheDirectoryHasNotIsUnknown() throws {
        try Self.withDirectory { path in
            let london = try FileSystem.contents("/usr/share/zoneinfo/Europe/London")
            try FileSystem.makeDirectories(path + "/Europe")
            try FileSystem.write(london, to: path + "/Europe/London")
            try FileSystem.write("# a list\n", to: path + "/zone.tab")
            try FileSystem.write(Array(london.dropLast()), to: path + "/Europe/Cut")
            #expect(symlink("Europe/London", path + "/GB") == 0)
            #expect(mkfifo(path + "/Pipe", 0o644) == 0)
            let directory = ZoneDirectory(path: path)
            #expect(try directory.zone(ZoneName("GB")) == directory.zone(ZoneName("Europe/London")))
            // A directory, a list, something that one would wait for, and nothing.
            for text in ["Europe", "zone.tab", "Pipe", "Mars/Base", "europe/london", "Europe/London/x"] {
                let name = try ZoneName(text)
                #expect(throws: ZoneError.unknown(name, directory: path)) { try directory.zone(name) }
            }
            let cut = try ZoneName("Europe/Cut")
            let error = #expect(throws: ZoneError.self) { try directory.zone(cut) }
            #expect(error?.isMistakeInName == false)
            #expect(error?.description.contains("its footer has no end; install tzdata anew") == true)
        }
    }
}
