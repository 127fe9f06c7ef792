using System.Collections.Frozen;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>The facts about a statement that the gate needs: its kind, and its parts that users' roles may not use.</summary>
internal readonly record struct StatementShape(StatementKind Kind, string Command, string? RefusedForUsers)
{
    private static readonly FrozenDictionary<string, StatementKind> Kinds = MakeKinds();

    /// <summary>
    /// Built-in functions that users' statements may not call: they outlast the statement (session locks, settings, the sequence of
    /// random()), take what all share (advisory locks of either kind fill the server's one lock table, without which nobody can do
    /// anything), reach beyond the caller's rows (large objects, other backends, notifications, messages in the WAL), or run SQL of their
    /// own past the gate (query_to_xml, ts_stat, and of the extensions that come with PostgreSQL tablefunc, xml2 and dblink). The service
    /// role may use them: its tokens belong to servers, whose code may coordinate itself by advisory locks. Not the boundary, which is the
    /// role; PostgreSQL grants these to everyone, and only a superuser could take them back.
    /// </summary>
    private static readonly FrozenSet<string> RefusedFunctions = (
        (string[])
            [
                "set_config",
                "setseed",
                "pg_advisory_lock",
                "pg_advisory_lock_shared",
                "pg_try_advisory_lock",
                "pg_try_advisory_lock_shared",
                "pg_advisory_xact_lock",
                "pg_advisory_xact_lock_shared",
                "pg_try_advisory_xact_lock",
                "pg_try_advisory_xact_lock_shared",
                "pg_advisory_unlock",
                "pg_advisory_unlock_shared",
                "pg_advisory_unlock_all",
                "lo_create",
                "lo_creat",
                "lo_open",
                "lo_put",
                "lo_get",
                "lo_from_bytea",
                "lo_import",
                "lo_export",
                "lo_unlink",
                "lo_truncate",
                "lo_truncate64",
                "loread",
                "lowrite",
                "lo_lseek",
                "lo_lseek64",
                "lo_tell",
                "lo_tell64",
                "lo_close",
                "pg_notify",
                "pg_logical_emit_message",
                "pg_terminate_backend",
                "pg_cancel_backend",
                "pg_log_backend_memory_contexts",
                "pg_export_snapshot",
                "query_to_xml",
                "query_to_xmlschema",
                "query_to_xml_and_xmlschema",
                "cursor_to_xml",
                "cursor_to_xmlschema",
                "ts_stat",
                "ts_rewrite",
                "crosstab",
                "crosstab2",
                "crosstab3",
                "crosstab4",
                "connectby",
                "xpath_table",
                "dblink",
                "dblink_exec",
                "dblink_connect",
                "dblink_connect_u",
                "dblink_send_query",
                "dblink_open",
                "dblink_fetch",
                "dblink_close",
                "dblink_get_result",
                "dblink_build_sql_insert",
                "dblink_build_sql_update",
                "dblink_build_sql_delete",
                "dblink_get_pkey",
            ]
    ).ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads one statement that the lexer found complete.</summary>
    public static StatementShape Read(string sql)
    {
        var lexer = new SqlLexer(sql);
        var command = "";
        var kind = StatementKind.Unknown;
        var parser = new Keywords();
        string? refused = null;
        SqlToken previous = default;
        bool writesSettings = false,
            namesSettings = false;

        while (lexer.Next(out var token))
        {
            var text = sql.AsSpan(token.Start, token.Length);
            if (token.Kind == SqlTokenKind.Word)
            {
                parser.Take(text, ref kind, ref command);
                // "into" is reserved: unquoted it is never a name, and after anything but INSERT and MERGE it makes a table.
                if (
                    Is(text, "into")
                    && !IsWord(sql, previous, "insert")
                    && !IsWord(sql, previous, "merge")
                    && kind is (StatementKind.Data or StatementKind.Explain)
                )
                {
                    kind = StatementKind.SelectInto;
                }
                writesSettings |= Is(text, "update") || Is(text, "merge");
            }
            namesSettings |= Names(text, token.Kind, "pg_settings");

            if (token.Kind == SqlTokenKind.EscapedIdentifier)
                refused ??= "names written as U&\"...\"";
            if (token.Kind == SqlTokenKind.Symbol && text[0] == '(' && IsRefusedFunction(sql, previous, out var function))
                refused ??= function + "()";
            previous = token;
            parser.Past(token.Kind, text);
        }
        if (writesSettings && namesSettings)
            refused ??= "writing to pg_settings";
        return new StatementShape(kind, command, refused);
    }

    private static bool IsRefusedFunction(string sql, SqlToken name, out string? function)
    {
        function = name.Kind switch
        {
            SqlTokenKind.Word => sql.Substring(name.Start, name.Length),
            SqlTokenKind.QuotedIdentifier => sql.Substring(name.Start + 1, name.Length - 2),
            _ => null,
        };
        return function is not null && RefusedFunctions.Contains(function);
    }

    private static bool Names(ReadOnlySpan<char> text, SqlTokenKind kind, string name) =>
        kind switch
        {
            SqlTokenKind.Word => Is(text, name),
            SqlTokenKind.QuotedIdentifier => Is(text[1..^1], name),
            _ => false,
        };

    private static bool IsWord(string sql, SqlToken token, string word) =>
        token.Kind == SqlTokenKind.Word && Is(sql.AsSpan(token.Start, token.Length), word);

    private static bool Is(ReadOnlySpan<char> text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);

    private static FrozenDictionary<string, StatementKind> MakeKinds()
    {
        var kinds = new Dictionary<string, StatementKind>(StringComparer.OrdinalIgnoreCase);
        void Add(StatementKind kind, params ReadOnlySpan<string> commands)
        {
            foreach (var command in commands)
                kinds.Add(command, kind);
        }

        Add(StatementKind.Data, "SELECT", "VALUES", "TABLE", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE");
        Add(StatementKind.Explain, "EXPLAIN");
        Add(
            StatementKind.Definition,
            "CREATE",
            "ALTER",
            "DROP",
            "TRUNCATE",
            "COMMENT",
            "GRANT",
            "REVOKE",
            "REFRESH",
            "REINDEX",
            "SECURITY",
            "IMPORT",
            "REASSIGN",
            "CLUSTER"
        );
        Add(StatementKind.Service, "DO", "CALL", "NOTIFY", "LOCK", "ANALYZE", "ANALYSE", "VACUUM", "CHECKPOINT", "SHOW");
        Add(StatementKind.TransactionControl, "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE");
        Add(StatementKind.Setting, "SET", "RESET", "DISCARD", "LOAD");
        Add(StatementKind.Session, "LISTEN", "UNLISTEN", "PREPARE", "EXECUTE", "DEALLOCATE", "DECLARE", "FETCH", "MOVE", "CLOSE");
        Add(StatementKind.Copy, "COPY");
        return kinds.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Finds the word that says what the statement is: the first one, or, after EXPLAIN and its options, the next.</summary>
    private struct Keywords
    {
        private bool found,
            inExplain;
        private int parentheses;

        public void Take(ReadOnlySpan<char> word, ref StatementKind kind, ref string command)
        {
            if (found && !inExplain)
                return;
            if (inExplain && (parentheses > 0 || Is(word, "analyze") || Is(word, "analyse") || Is(word, "verbose")))
                return;

            var next = Kinds.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(word, out var known) ? known : StatementKind.Unknown;
            if (inExplain)
            {
                inExplain = false;
                if (next != StatementKind.Data)
                    kind = next == StatementKind.Explain ? StatementKind.Unknown : next;
                return;
            }
            found = true;
            kind = next;
            command = word.ToString().ToUpperInvariant();
            inExplain = next == StatementKind.Explain;
        }

        /// <summary>
        /// Parentheses open a query (before its first word) or EXPLAIN's options; anything else before the first word is no statement.
        /// </summary>
        public void Past(SqlTokenKind kind, ReadOnlySpan<char> text)
        {
            if (kind == SqlTokenKind.Symbol && inExplain)
            {
                if (text[0] == '(')
                    parentheses++;
                else if (text[0] == ')')
                    parentheses--;
            }
            else if (!found && !(kind == SqlTokenKind.Symbol && text[0] == '('))
            {
                found = true;
            }
        }
    }
}
