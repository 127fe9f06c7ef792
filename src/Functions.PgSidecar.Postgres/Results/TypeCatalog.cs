using System.Collections.Concurrent;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>The database's own types: arrays, domains, composites and enums. Looks each up in the catalog once.</summary>
internal sealed class TypeCatalog(NpgsqlDataSource owner)
{
    /// <summary>Composites can't contain themselves, but they can contain arrays of themselves: this limits the nesting.</summary>
    private const int DeepestNesting = 32;

    private readonly ConcurrentDictionary<uint, PostgresType> known = new();

    public ValueTask<PostgresType> GetAsync(uint oid, CancellationToken cancellationToken) =>
        PostgresType.TryGetBuiltIn(oid, out var type) || known.TryGetValue(oid, out type!)
            ? ValueTask.FromResult(type)
            : new ValueTask<PostgresType>(LoadAsync(oid, DeepestNesting, cancellationToken));

    private async Task<PostgresType> LoadAsync(uint oid, int nesting, CancellationToken cancellationToken)
    {
        if (PostgresType.TryGetBuiltIn(oid, out var type) || known.TryGetValue(oid, out type!))
            return type;
        if (nesting == 0 || await FindAsync(oid, cancellationToken).ConfigureAwait(false) is not { } row)
            return PostgresType.Unknown;

        type = row switch
        {
            { Kind: 'd' } => await LoadAsync(row.Related, nesting - 1, cancellationToken).ConfigureAwait(false),
            { Category: 'A', Related: > 0 } => PostgresType.ArrayOf(
                await LoadAsync(row.Related, nesting - 1, cancellationToken).ConfigureAwait(false),
                (byte)row.Delimiter
            ),
            { Kind: 'c' } => new PostgresType(row.Name, ValueForm.Composite)
            {
                Outdated = known.Clear, // it may be nested in others
                Attributes = await LoadAttributesAsync(row.Related, nesting - 1, cancellationToken).ConfigureAwait(false),
            },
            { IsOfVector: true, Name: "vector" or "halfvec" } => new PostgresType(row.Name, ValueForm.Vector),
            { IsOfVector: true, Name: "sparsevec" } => new PostgresType(row.Name, ValueForm.SparseVector),
            _ => new PostgresType(row.Name, ValueForm.Text),
        };
        known[oid] = type;
        return type;
    }

    /// <summary>
    /// Related: a domain's base, an array's element, a composite's relation. IsOfVector: it belongs to the extension pgvector. Its name
    /// alone proves nothing, since a type of the same name may write other text.
    /// </summary>
    private sealed record TypeRow(string Name, char Kind, char Category, char Delimiter, uint Related, bool IsOfVector);

    private async Task<TypeRow?> FindAsync(uint oid, CancellationToken cancellationToken)
    {
        await using var command = owner.CreateCommand(
            """
            select t.typname::text, t.typtype, t.typcategory, coalesce(e.typdelim, ','),
                   case when t.typtype = 'd' then t.typbasetype when t.typtype = 'c' then t.typrelid
                        when t.typoutput = 'array_out'::regproc then t.typelem else 0 end,
                   exists (select from pg_depend d join pg_extension x on x.oid = d.refobjid
                       where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e' and x.extname = 'vector'
                       and d.refclassid = 'pg_extension'::regclass)
            from pg_type t left join pg_type e on e.oid = t.typelem
            where t.oid = $1
            """
        );
        command.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Oid, oid);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new TypeRow(
                reader.GetString(0),
                reader.GetChar(1),
                reader.GetChar(2),
                reader.GetChar(3),
                reader.GetFieldValue<uint>(4),
                reader.GetBoolean(5)
            )
            : null;
    }

    private async Task<IReadOnlyList<PostgresAttribute>> LoadAttributesAsync(
        uint relation,
        int nesting,
        CancellationToken cancellationToken
    )
    {
        var rows = new List<(string Name, uint Type)>();
        await using (
            var command = owner.CreateCommand(
                "select attname::text, atttypid from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped order by attnum"
            )
        )
        {
            command.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Oid, relation);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                rows.Add((reader.GetString(0), reader.GetFieldValue<uint>(1)));
        }

        var attributes = new List<PostgresAttribute>(rows.Count);
        foreach (var (name, type) in rows)
            attributes.Add(new PostgresAttribute(name, await LoadAsync(type, nesting, cancellationToken).ConfigureAwait(false)));
        return attributes;
    }
}
