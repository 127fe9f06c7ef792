create table if not exists bench.announced (id int generated always as identity primary key, note text not null);
create or replace function bench.announce() returns trigger language plpgsql as $$
begin
    perform graphile_worker.add_job('note', json_build_object('id', new.id));
    return null;
end $$;
create or replace trigger announce after insert on bench.announced for each row execute function bench.announce();
