using Functions.PgSidecar.Testing;
using k8s;
using k8s.Models;

namespace Functions.PgSidecar.Tests.Image;

/// <summary>The Kubernetes manifests: every member exists in the API, and they fit together and to the image.</summary>
public sealed class ManifestTests
{
    private static readonly string Folder = Path.Combine(PostgresServer.Root, "docker", "k8s");

    private static V1Deployment Deployment => Load("pgfn.yaml").OfType<V1Deployment>().Single();

    private static V1PodSpec Pod => Deployment.Spec.Template.Spec;

    private static V1Container Container => Pod.Containers.Single();

    [Fact]
    public void Every_file_has_only_members_that_the_API_knows()
    {
        var files = Directory.GetFiles(Folder, "*.yaml").Select(Path.GetFileName).Order().ToList();

        Assert.Contains("pgfn.yaml", files);
        Assert.All(files, static file => Assert.NotEmpty(Load(file!)));
        // A misspelt member is found.
        var misspelt = File.ReadAllText(Path.Combine(Folder, "pgfn.yaml"))
            .Replace("failureThreshold", "failureTreshold", StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => KubernetesYaml.LoadAllFromString(misspelt, strict: true));
    }

    [Fact]
    public void Selectors_and_ports_lead_to_the_pods()
    {
        var labels = Deployment.Spec.Template.Metadata.Labels;
        var service = Load("pgfn.yaml").OfType<V1Service>().Single();
        var budget = Load("pgfn.yaml").OfType<V1PodDisruptionBudget>().Single();
        var policy = Load("network-policy.yaml").OfType<V1NetworkPolicy>().Single();

        foreach (
            var selector in (IDictionary<string, string>[])
                [
                    Deployment.Spec.Selector.MatchLabels,
                    service.Spec.Selector,
                    budget.Spec.Selector.MatchLabels,
                    policy.Spec.PodSelector.MatchLabels,
                    Pod.TopologySpreadConstraints.Single().LabelSelector.MatchLabels,
                ]
        )
        {
            Assert.NotEmpty(selector);
            Assert.Subset(labels.ToHashSet(), selector.ToHashSet());
        }
        var port = Container.Ports.Single();
        Assert.Equal(8787, port.ContainerPort);
        Assert.Equal(port.Name, service.Spec.Ports.Single().TargetPort.Value);
        Assert.Equal(port.Name, policy.Spec.Ingress.Single().Ports.Single().Port.Value);
        Assert.True(
            Deployment.Spec.Replicas > int.Parse(budget.Spec.MinAvailable.Value, System.Globalization.CultureInfo.InvariantCulture)
        );
        Assert.Equal(Images.Sidecar, Container.Image);
    }

    [Fact]
    public void Each_secret_that_a_setting_names_is_in_the_example_and_readable()
    {
        var secret = Load("secret.example.yaml").OfType<V1Secret>().Single();
        var volume = Pod.Volumes.Single();
        var mount = Container.VolumeMounts.Single();

        Assert.Equal(secret.Metadata.Name, volume.Secret.SecretName);
        Assert.Equal(volume.Name, mount.Name);
        Assert.True(mount.ReadOnlyProperty);
        var files = Container.Env.Where(static variable => variable.Name.EndsWith("_FILE", StringComparison.Ordinal)).ToList();
        Assert.Equal(
            secret.StringData.Keys.Order().Select(key => $"{mount.MountPath}/{key}"),
            files.Select(static variable => variable.Value).Order()
        );
        Assert.Equal(Convert.ToInt32("0440", 8), volume.Secret.DefaultMode);
        Assert.Equal(Pod.SecurityContext.RunAsGroup, Pod.SecurityContext.FsGroup);
    }

    [Fact]
    public void Pods_have_no_privilege_and_enough_time_to_stop()
    {
        Assert.True(Pod.SecurityContext.RunAsNonRoot);
        Assert.Equal("RuntimeDefault", Pod.SecurityContext.SeccompProfile.Type);
        Assert.False(Pod.AutomountServiceAccountToken);
        Assert.False(Container.SecurityContext.AllowPrivilegeEscalation);
        Assert.True(Container.SecurityContext.ReadOnlyRootFilesystem);
        Assert.Equal(["ALL"], Container.SecurityContext.Capabilities.Drop);
        var settings = Container.Env.ToDictionary(static variable => variable.Name, static variable => variable.Value);
        Assert.Equal(
            Seconds(settings["PGFN_SHUTDOWN_DELAY"]) + Seconds(settings["PGFN_SHUTDOWN_TIMEOUT"]) + 10,
            Pod.TerminationGracePeriodSeconds
        );
        Assert.Equal("/health/live", Container.LivenessProbe.HttpGet.Path);
        Assert.Equal("/health/ready", Container.ReadinessProbe.HttpGet.Path);
        // A pod is taken out before it refuses requests.
        Assert.True(
            Container.ReadinessProbe.PeriodSeconds * Container.ReadinessProbe.FailureThreshold < Seconds(settings["PGFN_SHUTDOWN_DELAY"])
        );
    }

    private static long Seconds(string duration) => long.Parse(duration.TrimEnd('s'), System.Globalization.CultureInfo.InvariantCulture);

    private static List<object> Load(string file) =>
        KubernetesYaml.LoadAllFromString(File.ReadAllText(Path.Combine(Folder, file)), strict: true);
}
