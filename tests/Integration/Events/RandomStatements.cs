namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// Random definitions and writes, the same for the same seed. Many are invalid in their context; then both schemas refuse them.
/// </summary>
internal sealed class RandomStatements(int seed, int version, bool hasGuard)
{
    private static readonly string[] Plain = ["keyed", "spare", "keyless", "inserted", "elder", "younger"];
    private static readonly string[] Roots = ["logs", "parts"];

    private readonly Random random = new(seed);
    private readonly List<string> partitions = ["logs_1", "parts_1", "parts_2"];
    private int names;

    /// <summary>The next statement. Half of them are writes.</summary>
    public string Next() =>
        random.Next(20) switch
        {
            < 9 => Write(),
            9 => $"begin; {Define()}; {Write()}; {Write()}; commit",
            10 => $"begin; {Write()}; {Define()}; {Write()}; commit",
            11 => $"begin; {Define()}; {Write()}; rollback",
            _ => Define(),
        };

    private string Table() =>
        random.Next(3) == 0 ? One(partitions)
        : random.Next(2) == 0 ? One(Roots)
        : One(Plain);

    private string Stored() => random.Next(3) == 0 ? One(partitions) : One(Plain);

    private string One(IReadOnlyList<string> of) => of[random.Next(of.Count)];

    private int Place() => random.Next(6) * 10;

    private string Write() =>
        random.Next(9) switch
        {
            0 or 1 => $"insert into {Table()} (id, d, a, b) values ({random.Next(1000)}, {random.Next(60)}, {random.Next(5)}, 'x')",
            2 =>
                $"insert into {Table()} (id, d) select i, i % 60 from generate_series({random.Next(100)}, {random.Next(200)}) i on conflict do nothing",
            3 or 4 => $"update {Table()} set a = {random.Next(5)}",
            5 => $"update {Table()} set d = {random.Next(60)} where id % 3 = 0",
            6 => $"delete from {Table()} where id % 5 = {random.Next(5)}",
            7 => $"merge into {Table()} t using (values ({random.Next(100)})) s (id) on t.id = s.id when matched then update set b = 'm'",
            _ => random.Next(4) == 0 ? $"truncate {Table()}" : $"update {Table()} set id = id + 1000 where id < 500",
        };

    private string Define() =>
        random.Next(24) switch
        {
            0 or 1 => Partition("partition of"),
            2 => Partition("like"),
            3 => Partition("nested"),
            4 => $"alter table {One(Roots)} detach partition {One(partitions)}",
            5 => Place() is var from
                ? $"alter table {One(Roots)} attach partition {Stored()} for values from ({from}) to ({from + 10})"
                : "",
            6 => $"drop table {One(partitions)}",
            7 => $"alter table {Table()} drop constraint {Table()}_pkey",
            8 => One(Plain) is var table ? $"alter table {table} drop constraint {table}_pkey" : "",
            9 => Stored() is var keyed
                ? $"delete from {keyed}; alter table {keyed} add primary key (id{(random.Next(2) == 0 ? ", d" : "")}) {One(["", "deferrable", "deferrable initially deferred"])}"
                : "",
            10 => Table() is var with ? $"delete from {with}; alter table {with} add constraint k{names++} unique (id, d)" : "",
            11 => $"alter table {Table()} add column c{random.Next(4)} int default 7",
            12 => $"alter table {Table()} drop column c{random.Next(4)}",
            13 =>
                $"alter table {Table()} add column g{random.Next(3)} int generated always as (d * 2) {(version < 18 || random.Next(2) == 0 ? "stored" : "")}",
            14 => $"alter table {Table()} drop column g{random.Next(3)}",
            15 => $"alter table {Table()} alter a type bigint",
            16 when hasGuard => $"alter table {Stored()} replica identity {One(["default", "full", "nothing"])}",
            17 when hasGuard => Stored() is var by
                ? $"alter table {by} alter id set not null; delete from {by}; create unique index i{++names} on {by} (id); alter table {by} replica identity using index i{names}"
                : "",
            18 => $"drop index i{random.Next(names + 1)}",
            19 => $"alter table {Table()} rename column b to c9",
            20 => $"alter table {Table()} rename column c9 to b",
            21 when hasGuard => $"create publication p{random.Next(3)}_$s for table {Stored()}{One(["", " (id)", " (id, d)"])}",
            22 when hasGuard => $"drop publication p{random.Next(3)}_$s",
            23 => One(Plain) is var again
                ? $"alter table {again} rename to {again}_old; create table {again} (id int primary key, d int default 1, a int, b text); drop table {again}_old cascade"
                : "",
            _ => Write(),
        };

    private string Partition(string how)
    {
        var (root, from) = (One(Roots), Place());
        var name = $"{root}_n{++names}";
        partitions.Add(name);
        var bounds = $"for values from ({from}) to ({from + 10})";
        return how switch
        {
            "partition of" => $"create table {name} partition of {root} {bounds}",
            "like" =>
                $"create table {name} (like {root}{One(["", " including all"])}); alter table {root} attach partition {name} {bounds}",
            _ =>
                $"create table {name} partition of {root} {bounds} partition by range (d); create table {name}_x partition of {name} {bounds}",
        };
    }
}
