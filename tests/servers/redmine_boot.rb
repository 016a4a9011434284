# Fills the database of a fresh Redmine and serves it, in one process: to load Redmine twice takes twice as long.
require 'rack/handler/webrick'

Setting.rest_api_enabled = '1'
Setting.default_language = 'en'
Setting.notified_events = []

support = Tracker.find_by!(name: 'Support')
IssueCustomField.create!(
  name: 'ExternalRef', field_format: 'string', is_for_all: true, is_filter: true, tracker_ids: [support.id]
)
manager = Role.find_by!(name: 'Manager')
monitor = Role.create!(
  name: 'Monitor',
  permissions: %i[view_issues add_issues edit_issues add_issue_notes view_private_notes set_notes_private]
)
monitor.copy_workflow_rules(manager)
roles = { 'vigia' => monitor, 'ana' => manager, 'carla' => Role.find_by!(name: 'Reporter') }
projects = %w[soporte comercial].map { |name| Project.create!(name: name.capitalize, identifier: name) }

roles.each do |login, role|
  user = User.new(firstname: login.capitalize, lastname: 'Paredes', mail: "#{login}@nodored.example", language: 'en')
  user.login = login
  user.password = "hunter2-of-#{login}"
  user.save!
  projects.each { |project| Member.create!(project: project, principal: user, roles: [role]) }
  Token.find_or_create_by!(user: user, action: 'api').update_column(:value, "keyof#{login}")
end

# Where nobody ever opened a ticket, an ordinary account does not learn the number of a field.
projects.each do |project|
  author = User.find_by_login('carla')
  Issue.create!(project: project, tracker: support, author: author, subject: 'Bienvenida', priority: IssuePriority.default)
end

Rails.logger.level = Logger::FATAL
silent = WEBrick::Log.new(File::NULL)
Rack::Handler::WEBrick.run(
  Rails.application, Host: '127.0.0.1', Port: ENV.fetch('PORT').to_i, AccessLog: [], Logger: silent
)
