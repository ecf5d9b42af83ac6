import AssayCore
import Testing

@Suite struct NameTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func hashesAreThoseOfFIPS180(text: String, hex: String) {
        #expect(ContentHash(of: Array(text.utf8)).hex == hex)
    }

    @Test func aNameIsAtMost52AndTellsChildrenApart() {
        let long = String(repeating: "a", count: 51) + "-"
        var names: Set<String> = []
        for prefix in ["w", "wine", long, String(repeating: "x-", count: 30)] {
            for attempt in [1, 12, 1000] {
                for uid in ["u1", "u2"] {
                    let name = ChildName.job(namespace: "ml", name: prefix, uid: uid, attempt: attempt)
                    #expect(name.count <= 52)
                    #expect(!name.contains("--"))
                    #expect(name.hasPrefix(String(prefix.prefix(1))))
                    names.insert(name)
                }
            }
        }
        #expect(names.count == 24)
    }

    @Test func aNameNeverChanges() {
        // A change of it would make a second Job for every training under way at an upgrade.
        #expect(ChildName.job(namespace: "ml", name: "wine", uid: "u", attempt: 1) == "wine-1-2188626c")
        #expect(
            ChildName.run(namespace: "ml", name: "wine", uid: "u", number: 12, trainingHash: "1:ab")
                == "wine-12-0ed46b4e")
    }

    @Test(arguments: [("learningRate", "LEARNINGRATE"), ("a.b-c", "A_B_C"), ("_x9", "_X9")])
    func aParameterHasAVariable(name: String, suffix: String) {
        #expect(ContainerContract.variable(forParameter: name) == "ASSAY_PARAM_\(suffix)")
    }
}
