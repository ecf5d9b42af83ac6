extension BuiltinTypes {
    static let workloadText = """
        # io.k8s.api.apps.v1
        RollingUpdateDeployment
          maxUnavailable intstr ="25%"
          maxSurge intstr ="25%"
        DeploymentStrategy
          type string ="RollingUpdate" (Recreate|RollingUpdate)
          rollingUpdate RollingUpdateDeployment
        DeploymentSpec
          replicas int =1 -- Number of desired pods. Defaults to 1.
          selector! LabelSelector
          template! PodTemplateSpec
          strategy DeploymentStrategy ={} ~retain
          minReadySeconds int
          revisionHistoryLimit int =10
          paused bool
          progressDeadlineSeconds int =600
        DeploymentStatus
          observedGeneration long
          replicas int
          updatedReplicas int
          readyReplicas int
          availableReplicas int
          unavailableReplicas int
          terminatingReplicas int
          conditions []LegacyCondition @type ~type
          collisionCount int
        Deployment -- Deployment enables declarative updates for Pods and ReplicaSets.
          spec DeploymentSpec
          status DeploymentStatus ={}
        ReplicaSetSpec
          replicas int =1
          minReadySeconds int
          selector! LabelSelector
          template PodTemplateSpec
        ReplicaSetStatus
          replicas int =0
          fullyLabeledReplicas int
          readyReplicas int
          availableReplicas int
          terminatingReplicas int
          observedGeneration long
          conditions []LegacyCondition @type ~type
        ReplicaSet -- ReplicaSet ensures that a specified number of pod replicas are running at any given time.
          spec ReplicaSetSpec
          status ReplicaSetStatus ={}

        # io.k8s.api.batch.v1
        PodFailurePolicyOnExitCodesRequirement
          containerName string
          operator! string (In|NotIn)
          values! []int @set
        PodFailurePolicyOnPodConditionsPattern
          type! string
          status string ="True"
        PodFailurePolicyRule
          action! string (Count|FailIndex|FailJob|Ignore)
          onExitCodes PodFailurePolicyOnExitCodesRequirement
          onPodConditions []PodFailurePolicyOnPodConditionsPattern
        PodFailurePolicy
          rules! []PodFailurePolicyRule
        SuccessPolicyRule
          succeededIndexes string
          succeededCount int
        SuccessPolicy
          rules! []SuccessPolicyRule
        JobSpec
          parallelism int
          completions int
          activeDeadlineSeconds long
          podFailurePolicy PodFailurePolicy
          successPolicy SuccessPolicy
          backoffLimit int
          backoffLimitPerIndex int
          maxFailedIndexes int
          selector LabelSelector
          manualSelector bool
          template! PodTemplateSpec
          ttlSecondsAfterFinished int
          completionMode string ="NonIndexed" (Indexed|NonIndexed)
          suspend bool =false
          podReplacementPolicy string (Failed|TerminatingOrFailed)
          managedBy string
        UncountedTerminatedPods
          succeeded []string @set
          failed []string @set
        JobStatus
          conditions []LegacyCondition @type ~type
          startTime time
          completionTime time
          active int
          succeeded int
          failed int
          terminating int
          completedIndexes string
          failedIndexes string
          uncountedTerminatedPods UncountedTerminatedPods
          ready int
        Job -- Job represents the configuration of a single job.
          spec JobSpec
          status JobStatus ={}

        # io.k8s.api.policy.v1
        PodDisruptionBudgetSpec
          minAvailable intstr
          maxUnavailable intstr
          selector LabelSelector
          unhealthyPodEvictionPolicy string (AlwaysAllow|IfHealthyBudget)
        PodDisruptionBudgetStatus
          observedGeneration long
          disruptedPods {}time
          disruptionsAllowed int =0
          currentHealthy int =0
          desiredHealthy int =0
          expectedPods int =0
          conditions []Condition @type ~type
        PodDisruptionBudget -- PodDisruptionBudget is an object to define the max disruption to a collection of pods
          spec PodDisruptionBudgetSpec
          status PodDisruptionBudgetStatus ={}

        # io.k8s.api.autoscaling.v1
        ScaleSpec
          replicas int
        ScaleStatus
          replicas int =0
          selector string
        Scale -- Scale represents a scaling request for a resource.
          spec ScaleSpec ={}
          status ScaleStatus ={}

        # io.k8s.api.autoscaling.v2
        CrossVersionObjectReference
          apiVersion string
          kind! string
          name! string
        HorizontalPodAutoscalerSpec
          scaleTargetRef! CrossVersionObjectReference
          minReplicas int =1
          maxReplicas! int
          metrics []any
          behavior any
        HorizontalPodAutoscalerStatus
          observedGeneration long
          lastScaleTime time
          currentReplicas int
          desiredReplicas int =0
          currentMetrics []any
          conditions []LegacyCondition @type ~type
        HorizontalPodAutoscaler -- HorizontalPodAutoscaler automatically manages the replica count of a resource.
          spec HorizontalPodAutoscalerSpec
          status HorizontalPodAutoscalerStatus ={}
        """
}
