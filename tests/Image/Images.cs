[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace Functions.PgSidecar.Tests.Image;

/// <summary>The images under test, as <c>scripts/test-image.sh</c> built them, and what tests of them are marked with.</summary>
internal static class Images
{
    /// <summary>The trait of tests that need a Docker engine and the images. <c>make test</c> leaves them out.</summary>
    public const string Needs = "Needs";

    /// <summary>The value of <see cref="Needs"/>.</summary>
    public const string Docker = "Docker";

    /// <summary>The sidecar.</summary>
    public static string Sidecar => "functions-pgsidecar:" + Version;

    /// <summary>PostgreSQL with pgvector.</summary>
    public const string Postgres = "functions-pgsidecar-postgres:17";

    /// <summary>The tag of the sidecar's image.</summary>
    public static string Version { get; } =
        System
            .Xml.Linq.XDocument.Load(Path.Combine(Testing.PostgresServer.Root, "Directory.Build.props"))
            .Descendants("Version")
            .Single()
            .Value;
}
