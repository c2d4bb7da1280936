export { default } from "neuralsorter/panel-material-ui";
