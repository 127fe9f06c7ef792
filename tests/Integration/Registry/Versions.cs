using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Registry;

/// <summary>Versions by name and number.</summary>
internal static class Versions
{
    /// <summary>The id of a version.</summary>
    public static Task<Guid> VersionAsync(this TestDatabase database, string function, int version = 1) =>
        database.ScalarAsync<Guid>($"select id from functions_private.versions where function = '{function}' and version = {version}");
}
