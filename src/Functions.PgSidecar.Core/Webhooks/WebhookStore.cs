using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>
/// Reads webhooks, and keeps the account of deliveries that functions answer themselves. Each method makes one round trip.
/// </summary>
internal sealed class WebhookStore(NpgsqlDataSource dataSource, SecretBox secrets)
{
    private const string LoadSql = """
        select w.name, w.function, w.scheme, w.role, w.tolerance_seconds, w.respond, w.max_body_bytes, w.public_url, w.dedupe_seconds,
               array(select s.sealed from functions_private.webhook_secrets s where s.webhook = w.name order by s.id),
               array(select coalesce(s.expires_at, 'infinity')
                     from functions_private.webhook_secrets s where s.webhook = w.name order by s.id)
        from functions_private.webhooks w where w.name = $1 and w.enabled
        """;

    private const string BeginSql = """
        insert into functions_private.webhook_deliveries as d (webhook, id, event_id, running_until, expires_at)
        values ($1, $2, $3, now() + $4, now() + $5)
        on conflict (webhook, id) do update
            set event_id = excluded.event_id, running_until = excluded.running_until, expires_at = excluded.expires_at
            where d.expires_at <= now() or d.running_until <= now()
        returning true
        """;

    /// <summary>Reads a webhook; null if there is none, or it is disabled.</summary>
    /// <exception cref="SidecarException">PGFN7301: a secret can't be decrypted.</exception>
    public async Task<WebhookDefinition?> LoadAsync(string name, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(LoadSql);
        command.Parameters.AddWithValue(name);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            return null;
        var scheme = WebhookSchemes.Find(reader.GetString(2));
        var sealedSecrets = reader.GetFieldValue<byte[][]>(9);
        var untils = reader.GetFieldValue<DateTime[]>(10);
        return new WebhookDefinition
        {
            Name = reader.GetString(0),
            Function = reader.GetString(1),
            Scheme = scheme,
            Role = reader.IsDBNull(3) ? null : reader.GetString(3),
            Tolerance = TimeSpan.FromSeconds(reader.GetInt32(4)),
            Responds = reader.GetBoolean(5),
            MaxBodyBytes = reader.GetInt32(6),
            PublicUrl = reader.IsDBNull(7) ? null : reader.GetString(7),
            DedupeSeconds = reader.GetInt32(8),
            Keys =
            [
                .. sealedSecrets.Zip(untils, (secret, until) =>
                    (Open(name, scheme, secret), until == DateTime.MaxValue ? (DateTimeOffset?)null : new DateTimeOffset(until))
                ),
            ],
        };
    }

    /// <summary>
    /// Records that a function begins to answer a delivery, unless it has been answered, or another request with it is in progress.
    /// </summary>
    /// <param name="webhook">The webhook.</param>
    /// <param name="delivery">The delivery's id.</param>
    /// <param name="invocation">Identifies this run.</param>
    /// <param name="lease">After that, a run that has not ended counts as lost with its sidecar.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<WebhookBegin> BeginAsync(
        WebhookDefinition webhook,
        string delivery,
        Guid invocation,
        TimeSpan lease,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await using var batch = dataSource.CreateBatch();
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(BeginSql)
                {
                    Parameters =
                    {
                        new() { Value = webhook.Name },
                        new() { Value = delivery },
                        new() { Value = invocation },
                        new() { Value = lease },
                        new() { Value = TimeSpan.FromSeconds(webhook.DedupeSeconds) + lease },
                    },
                }
            );
            batch.BatchCommands.Add(
                new NpgsqlBatchCommand(
                    """
                    select running_until is not null from functions_private.webhook_deliveries where webhook = $1 and id = $2
                    """
                )
                {
                    Parameters =
                    {
                        new() { Value = webhook.Name },
                        new() { Value = delivery },
                    },
                }
            );
            await using var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                return WebhookBegin.Began;
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            // No row: the run in progress has just failed. The sender tries again.
            return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) && !reader.GetBoolean(0)
                ? WebhookBegin.AnsweredBefore
                : WebhookBegin.InProgress;
        }
        catch (NpgsqlException)
        {
            return WebhookBegin.NotStored;
        }
    }

    /// <summary>
    /// Records the end of a run: a delivery that was answered is remembered, one that failed is forgotten, so that its repetition runs.
    /// </summary>
    /// <returns>Why that was not recorded; null if it was.</returns>
    public async Task<string?> EndAsync(
        WebhookDefinition webhook,
        string delivery,
        Guid invocation,
        bool answered,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await dataSource
                .ExecuteAsync(
                    answered
                        ? "update functions_private.webhook_deliveries set running_until = null where webhook = @Name and id = @delivery and event_id = @invocation"
                        : "delete from functions_private.webhook_deliveries where webhook = @Name and id = @delivery and event_id = @invocation",
                    new
                    {
                        webhook.Name,
                        delivery,
                        invocation,
                    },
                    cancellationToken
                )
                .ConfigureAwait(false);
            return null;
        }
        catch (NpgsqlException e)
        {
            return e.Message;
        }
    }

    /// <summary>Forgets deliveries whose time is over.</summary>
    /// <returns>How many; as many as asked for: there may be more.</returns>
    public async Task<int> ExpireAsync(int atMost, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.expire_webhooks($1)");
        command.Parameters.AddWithValue(atMost);
        return (int)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    private WebhookKey Open(string webhook, IWebhookScheme scheme, byte[] secret)
    {
        try
        {
            return scheme.ParseKey(secrets.Open("webhook/" + webhook, "secret", secret));
        }
        catch (Exception e) when (e is SidecarException or FormatException)
        {
            throw new SidecarException(
                "PGFN7301",
                500,
                $"A secret of webhook '{webhook}' can't be decrypted with this database's key pair; give it another one with "
                    + "functions.rotate_webhook.",
                e
            );
        }
    }
}

/// <summary>Whether a function may answer a delivery.</summary>
internal enum WebhookBegin
{
    /// <summary>It may.</summary>
    Began,

    /// <summary>Another request with the same delivery is being answered.</summary>
    InProgress,

    /// <summary>The delivery was answered before.</summary>
    AnsweredBefore,

    /// <summary>The database can't be reached.</summary>
    NotStored,
}
