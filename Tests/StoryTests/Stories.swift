import TestCluster
import Testing

/// All that is told on whole clusters: one story at a time, each on every backend.
@Suite(.serialized, .sharedKubernetes) enum Stories {}
