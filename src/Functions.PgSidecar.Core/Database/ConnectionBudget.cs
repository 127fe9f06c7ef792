using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Core.Database;

/// <summary>How many connections to PostgreSQL a sidecar opens at most. Pools grow under load, and shrink when it is over.</summary>
internal static class ConnectionBudget
{
    // Events, queues, caches, objects.
    private const int FeaturePools = 4;

    // Reading the WAL, managing its slot, trying a login.
    private const int OutsideOfPools = 3;

    // anon, authenticated and service_role. Every other role that functions run as has a pool too.
    private const int Roles = 3;

    /// <summary>Those that no setting changes, where one role owns the tables whose triggers have conditions.</summary>
    public const int Own =
        OwnSessions.PoolSize + (FeaturePools * OwnSessions.FeaturePoolSize) + ConditionEvaluator.MaxConnections + OutsideOfPools;

    /// <summary>All of them, where functions run as the three usual roles.</summary>
    /// <param name="limits">The number of connections per role.</param>
    public static int Total(LimitsOptions limits) => (Roles * limits.ConnectionsPerRole) + Own;
}
