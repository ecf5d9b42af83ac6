extension Story {
    /// How long users come.
    static let trafficTime: Duration = .seconds(1200)

    private static func sleeping(_ name: String, _ acts: [Act]) -> Story {
        var story = Story(name, acts, isPatient: false, countsCreations: false)
        story.hasTraffic = true
        return story
    }

    private static func sleeper(_ training: String = "good", seed: Int = 1) -> ToyModel {
        var model = ToyModel(training, seed: seed)
        model.sleeps = true
        return model
    }

    private static func narrow(_ concurrency: Int, _ training: String = "good", seed: Int = 1) -> ToyModel {
        var model = sleeper(training, seed: seed)
        model.concurrency = concurrency
        return model
    }

    private static var awake: ToyModel {
        var model = ToyModel("good")
        model.gateway = false
        return model
    }

    /// Models behind a gateway that sleep when nobody comes, with users who come now and then.
    public static let sleeping: [Story] = [
        sleeping("sleep", [.apply(sleeper())]),
        sleeping("sleep and a new revision", [.apply(sleeper()), .apply(sleeper("better", seed: 2))]),
        sleeping(
            "sleep and several revisions",
            [
                .apply(sleeper()), .apply(sleeper("poor", seed: 2)), .apply(sleeper("better", seed: 3)),
                .apply(sleeper("good", seed: 4)),
            ]),
        sleeping("sleep, the gateway left and taken again", [.apply(sleeper()), .apply(awake), .apply(sleeper())]),
        sleeping("sleep, recreated", [.apply(sleeper()), .recreate(sleeper("better"))]),
        sleeping("sleep, somebody scales", [.apply(sleeper()), .scaleDeployment(2), .scaleDeployment(2)]),
    ]

    /// The same of models whose pods may have only so many requests at a time.
    public static let bounded: [Story] = [
        sleeping("sleep, one request at a time", [.apply(narrow(1))]),
        sleeping(
            "sleep, two requests at a time, and a new revision",
            [.apply(narrow(2)), .apply(narrow(2, "better", seed: 2))]),
        sleeping("sleep, three requests at a time, somebody scales", [.apply(narrow(3)), .scaleDeployment(2)]),
    ]
}
