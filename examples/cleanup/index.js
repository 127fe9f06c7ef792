// Deletes expired sessions at the times of the schedule (trigger.sql), as the service role.
export default {
  async scheduled(controller, env, ctx) {
    const { meta } = await env.DB.prepare("delete from examples.sessions where expires_at < now()").run();
    console.log(`${new Date(controller.scheduledTime).toISOString()} (${controller.cron}): ${meta.changes} sessions deleted`);
  },
};
