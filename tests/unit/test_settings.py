"""The cascade: defaults, the project's file, the environment, flags; and what a project may not set."""

import pytest

from toolchain.core.errors import ProjectSettingsFault
from toolchain.settings import DEFAULT_BASE_URL, FIELDS, resolve_settings


def settings(tmp_path, *, project="", environment=None, **flags):
    (tmp_path / "pyproject.toml").write_text(project)
    return resolve_settings(flags=flags, environment=environment or {}, project=tmp_path)


def test_defaults(tmp_path):
    found = settings(tmp_path)
    assert found.get("base_url") == DEFAULT_BASE_URL
    assert found.get("namespace") is None
    assert found.origins["base_url"] == "default"


def test_later_layers_win(tmp_path):
    project = '[tool.mixpeek]\nnamespace = "ns_project"\n'
    assert settings(tmp_path, project=project).get("namespace") == "ns_project"
    environment = {"MIXPEEK_NAMESPACE": "ns_environment"}
    assert settings(tmp_path, project=project, environment=environment).get("namespace") == "ns_environment"
    found = settings(tmp_path, project=project, environment=environment, namespace="ns_flag")
    assert (found.get("namespace"), found.origins["namespace"]) == ("ns_flag", "command line")


def test_a_flag_that_was_not_given_changes_nothing(tmp_path):
    assert settings(tmp_path, environment={"MIXPEEK_API_KEY": "sk_x"}, api_key=None).get("api_key") == "sk_x"


def test_the_contracts_variable_wins_over_the_older_one(tmp_path):
    environment = {"MIXPEEK_API_URL": "https://old", "MIXPEEK_BASE_URL": "https://new"}
    assert settings(tmp_path, environment=environment).get("base_url") == "https://new"
    del environment["MIXPEEK_BASE_URL"]
    assert settings(tmp_path, environment=environment).get("base_url") == "https://old"


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if not field.project])
def test_a_plugins_own_file_may_not_say_where_keys_go_or_what_runs(tmp_path, name):
    with pytest.raises(ProjectSettingsFault, match="may not set"):
        settings(tmp_path, project=f'[tool.mixpeek]\n{name} = "x"\n')


def test_an_unknown_key_is_an_error_with_a_suggestion(tmp_path):
    with pytest.raises(ProjectSettingsFault) as refused:
        settings(tmp_path, project='[tool.mixpeek]\nsampel-data = "x"\n')
    assert refused.value.remedy == "did you mean 'sample_data'?"


def test_a_value_that_is_no_text_is_an_error(tmp_path):
    with pytest.raises(ProjectSettingsFault, match="must be text"):
        settings(tmp_path, project="[tool.mixpeek]\nnamespace = 3\n")


def test_secrets_do_not_show(tmp_path):
    assert "sk_secret" not in repr(settings(tmp_path, api_key="sk_secret"))
